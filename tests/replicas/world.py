"""Servers without processes, in a directory that all hubs see: a file for each run.

A run lives while its file is in `live` and has ended when it is in `over`. A file comes and goes in one step,
whenever a hub is killed, and says by itself when that was: by its times of modification and of change.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets import Unicode

from carrel.spawners.base import Spawner


class WorldSpawner(Spawner):
    """Starts nothing: a stub that is there already answers for every server."""

    directory = Unicode(help="Where the runs are.").tag(config=True)
    stub_url = Unicode(help="What answers for all servers.").tag(config=True)
    begun = Unicode()

    def load_state(self, state: Any) -> None:
        """Take over which run it is."""
        super().load_state(state)
        self.begun = str(state.get("begun", ""))

    def get_state(self) -> dict[str, Any]:
        """Return which run it is."""
        return super().get_state() | ({"begun": self.begun} if self.begun else {})

    def clear_state(self) -> None:
        """Forget the run."""
        super().clear_state()
        self.begun = ""

    async def start(self) -> tuple[str, int]:
        """Begin a run; one that begins twice leaves a trace of that."""
        self.begun = f"{self.server_id}.{self.generation}"
        try:
            os.close(os.open(self._place("live"), os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            self._place("twice").touch()
        # Time in which a hub may be killed before and after it has written down what it began.
        await asyncio.sleep(random.uniform(0.0, 0.3))
        await self.save_state()
        await asyncio.sleep(random.uniform(0.0, 0.3))
        address = urlsplit(self.stub_url)
        return str(address.hostname), int(address.port or 0)

    async def poll(self) -> int | None:
        """Tell whether the run lives."""
        return None if self._place("live").exists() else 0

    async def stop(self, now: bool = False) -> None:
        """End the run, if it lives."""
        with suppress(FileNotFoundError):
            self._place("live").rename(self._place("over"))

    def _place(self, state: str) -> Path:
        return Path(self.directory) / state / f"{self.server_id}.{self.generation}"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a server; times are wall-clock seconds."""

    server_id: int
    generation: int
    began: float
    ended: float | None


class World:
    """The directory of the runs, as a test sees it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for state in ("live", "over", "twice"):
            (directory / state).mkdir(parents=True)

    def runs(self) -> Iterator[Run]:
        """Yield every run that there was."""
        for state in ("live", "over"):
            for path in (self.directory / state).iterdir():
                server_id, generation = path.name.split(".")
                seen = path.stat()
                ended = seen.st_ctime if state == "over" else None
                yield Run(int(server_id), int(generation), seen.st_mtime, ended)

    def begun_twice(self) -> list[str]:
        """Return the runs that were begun more than once."""
        return [path.name for path in (self.directory / "twice").iterdir()]
