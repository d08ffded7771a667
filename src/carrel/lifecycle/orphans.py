"""From the world to the rows: ending what runs and what no row waits for.

While a row still is in exactly that run, whoever works on the row takes it over (`lifecycle/finder.py`).
Once the row is at rest its run's token is dead and nobody could use the server any more: it is ended after a
grace.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from carrel.core.context import HubContext
from carrel.core.drivers import new_driver
from carrel.core.runs import Owner, load_owner
from carrel.core.servers import reload_server
from carrel.domain.events import OrphanFound
from carrel.domain.servers import Actual, Server
from carrel.domain.users import User
from carrel.lib.awaiting import resolve_within
from carrel.lifecycle import drive
from carrel.lifecycle.finder import Finder, stand_in
from carrel.lifecycle.stop import CALL_LIMIT
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Orphan
from carrel.storage.base import StorageUnavailable

_INTERVAL = 5.0
#: How long something must have been seen without a row before it is ended, in seconds: two looks at least.
GRACE = 10.0
_AT_REST = (Actual.STOPPED, Actual.FAILED)
_log = logging.getLogger("carrel.lifecycle")

Sighting = tuple[int, int, str, str]


class OrphanKeeper:
    """Ends what runs without a row, for one hub process."""

    def __init__(self, ctx: HubContext, finder: Finder) -> None:
        self._ctx = ctx
        self._finder = finder
        self._since: dict[Sighting, float] = {}
        self._refused: set[Sighting] = set()

    async def run(self) -> None:
        """Look at once and then every few seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except StorageUnavailable as error:
                _log.warning("What runs without a row cannot be looked for, trying again: %s", error)
            except Exception:
                _log.exception("What runs without a row could not be looked for; trying again")
            await asyncio.sleep(_INTERVAL)

    async def look(self) -> None:
        """End what has been without a row for the length of the grace."""
        now = self._ctx.clock.monotonic()
        found = {_sighting(one): one for one in await self._finder.look()}
        self._since = {sighting: self._since.get(sighting, now) for sighting in found}
        self._refused &= found.keys()
        due = [one for sighting, one in found.items() if now - self._since[sighting] >= GRACE]
        outcomes = await asyncio.gather(*map(self._judge, due), return_exceptions=True)
        for orphan, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, Exception):
                _log.error("%s could not be ended; trying again", _label(orphan), exc_info=outcome)

    async def _judge(self, orphan: Orphan) -> None:
        row = await reload_server(self._ctx, orphan.server_id)
        if row is not None and row.generation == orphan.generation and row.actual not in _AT_REST:
            return  # Whoever works on the row takes it over.
        driver = await self._driver(orphan, row)
        if not await resolve_within(driver.recognize(orphan), drive.CALL_LIMIT):
            self._refuse(orphan)
            return
        await drive.stop(driver, now=True, limit=CALL_LIMIT)
        _log.warning("%s ran without a row and was ended", _label(orphan))
        self._ctx.bus.publish(OrphanFound(orphan.server_id, orphan.generation, adopted=False))

    async def _driver(self, orphan: Orphan, row: Server | None) -> Spawner:
        if row is None:
            name = orphan.user_name
            owner = Owner(User(0, name, admin=False, created=0.0))
            server = replace(stand_in(orphan.server_id, orphan.generation, name), spawner=orphan.spawner)
        else:
            server = replace(row, generation=orphan.generation, state={}, url="", spawner=orphan.spawner)
            owner = await load_owner(self._ctx, row)
        return await new_driver(self._ctx, server, owner)

    def _refuse(self, orphan: Orphan) -> None:
        sighting = _sighting(orphan)
        if sighting not in self._refused:
            self._refused.add(sighting)
            _log.warning("%s says that it is a server and is not its owner's: left alone", _label(orphan))


def _sighting(orphan: Orphan) -> Sighting:
    return (orphan.server_id, orphan.generation, repr(orphan.state), orphan.spawner)


def _label(orphan: Orphan) -> str:
    return f"Run {orphan.generation} of server {orphan.server_id} ({dict(orphan.state)})"
