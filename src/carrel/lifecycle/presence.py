"""Saying that this hub lives, and knowing which others do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from carrel import __version__
from carrel.core.context import HubContext
from carrel.domain.events import Event, HubsChanged
from carrel.domain.hubs import Hub
from carrel.storage.base import StorageError

#: How often a hub says that it lives, and for how long it counts as alive without, in seconds.
BEAT = 2.0
LASTS = 10.0
_log = logging.getLogger("carrel.lifecycle")


class Presence:
    """One hub's row among those that share the database."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        peers, now = ctx.peers, ctx.clock.now()
        self._hub = Hub(peers.owner, peers.node, peers.url, __version__, now, now)
        self._wake = asyncio.Event()
        # One write of the row at a time: of two the one that was begun first may come last.
        self._turn = asyncio.Lock()
        self._gone = False

    async def join(self) -> None:
        """Come into the others' sight; raises StorageError."""
        await self._beat(HubsChanged())

    async def leave(self) -> None:
        """Go out of the others' sight, before anything else is stopped; never fails."""
        self._gone = True
        try:
            async with self._turn, self._ctx.store.write() as tx:
                await tx.hubs.remove(self._hub.owner)
                tx.announce(HubsChanged())
        except StorageError as error:
            _log.warning("The other hubs will miss this one in %g seconds only: %s", LASTS, error)

    def heed(self, event: Event) -> None:
        """Look at once when a hub has come or gone; give this to the bus."""
        if isinstance(event, HubsChanged):
            self._wake.set()

    async def run(self) -> None:
        """Say so again and again, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(BEAT):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._beat()
            except StorageError as error:
                _log.warning("The other hubs cannot be told that this one lives; trying again: %s", error)

    async def _beat(self, event: HubsChanged | None = None) -> None:
        async with self._turn:
            if self._gone:
                return
            alive = await self._say(event)
        if self._ctx.peers.update(alive):
            others = ", ".join(hub.url for hub in self._ctx.peers.others) or "none"
            _log.info("Other hubs of this database: %s", others)
            if self._ctx.peers.others and self._ctx.proxy.of_this_hub:
                _log.warning(
                    "Other hubs share this database, and this one has its own data plane, where routes to "
                    "their servers come late: let all use one, and set c.Proxy.should_start = False"
                )
            self._ctx.bus.publish(HubsChanged())

    async def _say(self, event: HubsChanged | None) -> Sequence[Hub]:
        """Write the row, and return all that are alive."""
        now = self._ctx.clock.now()
        async with self._ctx.store.write() as tx:
            await tx.hubs.put(replace(self._hub, expires=now + LASTS))
            await tx.hubs.purge(now)
            alive = await tx.hubs.alive(now)
            if event is not None:
                tx.announce(event)
        return alive
