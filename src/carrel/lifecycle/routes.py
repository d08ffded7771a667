"""Keeping the data plane's table equal to the rows."""

from __future__ import annotations

import asyncio
import logging

from carrel.core.context import HubContext
from carrel.core.routes import route_of, wanted_routes
from carrel.domain.events import Event, RouteMissing
from carrel.domain.routes import Route
from carrel.domain.servers import Server
from carrel.lib.clock import parse_iso
from carrel.proxy.base import ProxyError

_CHECK_INTERVAL = 5.0
_SYNC_EVERY = 12
_log = logging.getLogger("carrel.routes")


class RouteKeeper:
    """Sets and removes routes, and repairs the table when it drifts. All changes go through one lock."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self._lock = asyncio.Lock()
        self._ahead: dict[str, Route] = {}
        self._nudged = asyncio.Event()

    async def add(self, server: Server) -> None:
        """Set the route of a server that is about to be called running; raises ProxyError."""
        route = route_of(server, self._ctx.settings.base_url)
        async with self._lock:
            self._ahead[route.spec] = route
            await self._ctx.proxy.add_route(route.spec, route.target, route.data)

    def settled(self, server: Server) -> None:
        """The row of a server says by itself now what its route is."""
        self._ahead.pop(route_of(server, self._ctx.settings.base_url).spec, None)

    async def remove(self, server: Server) -> None:
        """Remove a server's route; what cannot be removed now is removed by the next repair."""
        spec = route_of(server, self._ctx.settings.base_url).spec
        async with self._lock:
            self._ahead.pop(spec, None)
            try:
                await self._ctx.proxy.delete_route(spec)
            except ProxyError as error:
                _log.warning("Route %s stays until the next repair: %s", spec, error)
                self._nudged.set()

    async def sync(self) -> None:
        """Make the table equal to the rows; raises ProxyError."""
        async with self._lock:
            # Noted before the rows are read: one that settles meanwhile stands in neither otherwise.
            ahead = dict(self._ahead)
            await self._ctx.proxy.put_routes(await wanted_routes(self._ctx) | ahead)

    def heed(self, event: Event) -> None:
        """Look at once when the hub got a request that a route should have caught; give this to the bus."""
        if isinstance(event, RouteMissing):
            self._nudged.set()

    async def run(self) -> None:
        """Watch the data plane and the table until cancelled."""
        rounds = 0
        doubtful = False
        while True:
            nudged = await self._pause()
            rounds += 1
            doubtful = doubtful or nudged or rounds % _SYNC_EVERY == 0
            try:
                doubtful = await self._ctx.proxy.start() or doubtful
                if doubtful:
                    await self.sync()
                    doubtful = False
            except ProxyError as error:
                _log.error("The data plane cannot be reached: %s", error)
            except Exception:
                _log.exception("Routes could not be checked; trying again")

    async def _pause(self) -> bool:
        try:
            async with asyncio.timeout(_CHECK_INTERVAL):
                await self._nudged.wait()
        except TimeoutError:
            return False
        self._nudged.clear()
        return True


async def collect_activity(ctx: HubContext) -> None:
    """Note when each routed server was last used, as the data plane saw it."""
    table = await ctx.proxy.get_all_routes()
    async with ctx.store.read() as tx:
        servers = await tx.servers.routed()
    for server in servers:
        entry = table.get(route_of(server, ctx.settings.base_url).spec)
        seen = None if entry is None else entry["data"].get("last_activity")
        if isinstance(seen, str):
            moment = parse_iso(seen)
            ctx.activity.server(server.id, moment, server.last_activity)
            ctx.activity.user(server.user_id, moment)
