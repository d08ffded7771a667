"""The hub under test with its data plane: started, killed, looked at from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from tests.chaos.site import Run, Site
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import class_config
from tests.rigs.systems import carrel

_STUB = Path(__file__).with_name("stub_server.py")
_PLANE = "carrel.dataplane"
_LOOK = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """What the database says of a server."""

    user: str
    run: Run
    actual: str
    deadline: float | None
    checkpoint: bool

    @property
    def pending(self) -> bool:
        return self.actual in ("starting", "stopping")


class School:
    """One installation below `directory`; `hub` is its process, which changes with every start."""

    def __init__(self, directory: Path, site: Site) -> None:
        self.diary = directory / "diary"
        command = [os.path.realpath(sys.executable), "-S", "-I", str(_STUB)]
        config = class_config(directory, command).replace("'--allow-root'", "")
        config += f"c.Spawner.environment = {{'CHAOS_DIARY': {str(self.diary)!r}}}\n"
        system = carrel()
        system = replace(system, environment={**system.environment, **site.environment})
        self.hub = HubProcess(system, directory, config + site.config(self.diary, _STUB))
        self._site = site
        self.waits: list[float] = []
        """Seconds from each start of the hub to its first answer."""
        self._launched = 0.0
        self._database = directory / "carrel.sqlite"

    @property
    def api(self) -> str:
        """The REST API on the hub's own port: whether the data plane lives is not its concern."""
        return self.hub.hub_api_url

    def launch(self) -> None:
        """Start the hub, as a service manager does."""
        self._launched = time.monotonic()
        self.hub.launch()

    async def ready(self, session: aiohttp.ClientSession, timeout: float = 60.0) -> None:
        """Return when the hub answers; start it again when it ended by itself."""
        deadline = time.monotonic() + timeout
        while not await self._answers(session):
            assert time.monotonic() < deadline, f"the hub does not answer:\n{self.hub.log[-4000:]}"
            if self.hub.process is None or self.hub.process.poll() is not None:
                self.launch()
            await asyncio.sleep(_LOOK)
        if self._launched:
            self.waits.append(time.monotonic() - self._launched)
            self._launched = 0.0

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.api}/", timeout=aiohttp.ClientTimeout(5)) as reply:
                return reply.status == 200
        except (OSError, aiohttp.ClientError, TimeoutError):
            return False

    def hold(self) -> None:
        """Stop the clock of the hub's process."""
        os.kill(self.hub.pid, signal.SIGSTOP)

    def let_go(self) -> None:
        os.kill(self.hub.pid, signal.SIGCONT)

    def kill_hub(self) -> None:
        self.hub.kill9()

    def strike(self) -> None:
        """Kill what else the site says may be."""
        self._site.strike(self.hub)

    def kill_plane(self) -> int:
        """Kill every process of the data plane and return how many there were."""
        planes = [pid for pid in self.hub.belongings() if _PLANE in processes.command_line(pid)]
        for pid in planes:
            # Its workers may be ending already, because the first of them was hit.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(planes)

    def rows(self, timeout: float = 10.0) -> list[Row]:
        """Return what the database says, read beside the hub."""
        query = (
            "SELECT u.name, s.id, s.generation, s.actual, s.deadline, s.state != '{}' "
            "FROM servers s JOIN users u ON u.id = s.user_id"
        )
        with closing(
            sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=timeout)
        ) as database:
            return [
                Row(user, (server_id, generation), actual, deadline, bool(checkpoint))
                for user, server_id, generation, actual, deadline, checkpoint in database.execute(query)
            ]

    def is_launching(self) -> bool:
        """Tell whether a start stands between intent and checkpoint; False when the held hub has a lock."""
        try:
            return any(row.actual == "starting" and not row.checkpoint for row in self.rows(timeout=0.0))
        except sqlite3.OperationalError:
            return False

    def live_runs(self) -> Iterable[Run]:
        """Return the run of each server that lives."""
        return self._site.live_runs(self.hub)

    def close(self) -> None:
        """Leave nothing behind."""
        self.hub.clean_up()
