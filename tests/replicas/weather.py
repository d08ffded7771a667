"""What happens to the hubs and the database, and how soon others do a dead hub's work."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import time
from collections.abc import Mapping

from carrel.domain.servers import Lease, Server
from carrel.storage.base import StorageError
from carrel.storage.sql.store import SqlStore
from tests.replicas.findings import Findings
from tests.replicas.rig import Replica
from tests.rigs.postgres import PostgresServer

_KILL_EVERY = 10.0
_DOWN = 1.0
_RESTART_EVERY = 40.0
_PAUSE_EVERY = 60.0
_PAUSED = 12.0


class Weather:
    """Kills, pauses and restarts; `store` looks into the database that the hubs share."""

    def __init__(
        self, hubs: list[Replica], database: PostgresServer, store: SqlStore, found: Findings
    ) -> None:
        self._hubs = hubs
        self._database = database
        self._store = store
        self._found = found
        self._until = 0.0
        self._dead: set[str] = set()
        self._down: Replica | None = None
        self._paused: Replica | None = None
        self._held: dict[int, Lease] = {}
        self._database_since = 0.0
        """The moment since which the database has answered; none while it is restarted."""

    async def run(self, until: float) -> None:
        """Be bad until a monotonic moment."""
        self._until = until
        await asyncio.gather(self._kill(), self._pause(), self._restart_database())

    def _goes_on(self) -> bool:
        return time.monotonic() < self._until

    def _next(self, number: int) -> Replica:
        """Return the hub whose turn it is to suffer, among those that do not already."""
        well = [hub for hub in self._hubs if hub not in (self._down, self._paused)]
        return well[number % len(well)]

    async def _kill(self) -> None:
        while self._goes_on():
            await asyncio.sleep(_KILL_EVERY)
            hub = self._down = self._next(self._found.kills)
            self._dead.add(str(hub.pid))
            await asyncio.to_thread(hub.kill9)
            self._found.kills += 1
            await asyncio.sleep(_DOWN)
            await asyncio.to_thread(hub.launch)
            self._down = None

    async def _pause(self) -> None:
        """Stop a hub's process in its tracks for longer than its leases and its place among the hubs last."""
        await asyncio.sleep(_PAUSE_EVERY / 4)
        while self._goes_on():
            hub = self._paused = self._next(self._found.pauses)
            pid = str(hub.pid)
            self._dead.add(pid)
            os.kill(hub.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(_PAUSED)
            finally:
                os.kill(hub.pid, signal.SIGCONT)
            self._dead.discard(pid)
            self._held.clear()
            self._paused = None
            self._found.pauses += 1
            await asyncio.sleep(_PAUSE_EVERY - _PAUSED)

    async def _restart_database(self) -> None:
        # A moment that does not always fall together with a kill.
        await asyncio.sleep(_RESTART_EVERY / 3)
        while self._goes_on():
            self._database_since = math.inf
            await asyncio.to_thread(self._database.halt)
            await asyncio.to_thread(self._database.resume)
            self._database_since = time.time()
            self._found.restarts += 1
            await asyncio.sleep(_RESTART_EVERY)

    async def watch_leases(self) -> None:
        """Until cancelled, note how long after its end a dead hub's lease stays."""
        while True:
            try:
                async with self._store.read() as tx:
                    rows = await tx.servers.unsettled()
            except StorageError:
                pass
            else:
                self._note_leases({row.id: row for row in rows})
            await asyncio.sleep(0.1)

    def _note_leases(self, rows: Mapping[int, Server]) -> None:
        now = time.time()
        for server_id, lease in list(self._held.items()):
            row = rows.get(server_id)
            if row is None or row.lease is None or row.lease.fence != lease.fence:
                del self._held[server_id]
                # Nobody could take it over while there was no database.
                free = max(lease.expires, self._database_since)
                self._found.takeovers.append(max(0.0, now - free))
        for server_id, row in rows.items():
            if row.lease is not None and _pid_of(row.lease) in self._dead:
                self._held[server_id] = row.lease


def _pid_of(lease: Lease) -> str:
    return lease.owner.rpartition("/")[2].partition("-")[0]
