"""What the servers' processes did: their own diary, and a look at each of them ten times a second."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.process_table import look
from tests.history import History

_EVERY = 0.1
#: The kernel counts a process's start in ticks, and not from quite the same zero.
_SLACK = 0.05


@dataclass(slots=True)
class Life:
    """One process, in seconds of `History.now`."""

    user: str
    generation: int
    pid: int
    launched: float
    ready: float
    start_time: str = ""
    seen: float = 0.0
    """When it was last seen alive."""
    stopped: float = 0.0
    """When it said that it ends; one that was killed says nothing."""
    gone: float = 0.0
    """When it was first seen to be gone."""


class Diary:
    """Reads along while the processes write."""

    def __init__(self, path: Path) -> None:
        self.lives: list[Life] = []
        self._path = path
        self._read = 0
        self._open: dict[int, Life] = {}

    async def follow(self) -> None:
        """Read and look until cancelled."""
        while True:
            self.update()
            await asyncio.sleep(_EVERY)

    def update(self) -> None:
        """Read what is new and look at every process that is not known to be gone."""
        for line in self._lines():
            what, user, generation, pid, launched, now = line.split()
            life = self._open.get(int(pid))
            if what == "start":
                life = Life(user, int(generation), int(pid), float(launched), float(now))
                self.lives.append(life)
                self._open[life.pid] = life
            elif life is not None:
                life.stopped = float(now)
        for life in list(self._open.values()):
            self._look(life)

    def hand_over(self, history: History) -> None:
        """Write all that is known into `history`."""
        for life in self.lives:
            history.began(life.user, life.generation, life.launched - _SLACK, life.ready)
            if life.gone:
                earliest = life.stopped or max(life.seen, life.ready)
                history.ended(life.user, life.generation, earliest, life.gone)

    def _look(self, life: Life) -> None:
        now, seen = History.now(), look(life.pid)
        if seen is not None and seen.state != "Z":
            life.start_time = life.start_time or seen.start_time
            if life.start_time == seen.start_time:
                life.seen = now
                return
        life.gone = History.now()
        del self._open[life.pid]

    def _lines(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open() as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole)
        return whole.splitlines()
