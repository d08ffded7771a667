"""Keeping the data plane's table equal to the rows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from carrel.core.context import HubContext
from carrel.core.metrics import timed
from carrel.core.routes import route_of, started_elsewhere, wanted_routes
from carrel.domain.events import (
    Event,
    EventsMissed,
    HubsChanged,
    RouteMissing,
    RoutesDoubted,
    ServerChanged,
    ServiceChanged,
    Work,
)
from carrel.domain.routes import Route
from carrel.domain.servers import Server
from carrel.lib.awaiting import TookTooLong, resolve_within
from carrel.lib.clock import parse_iso
from carrel.proxy.base import OutOfStep, ProxyError, Unreachable, as_route, differs
from carrel.storage.base import StorageUnavailable

_CHECK_INTERVAL = 5.0
_SYNC_EVERY = 12
_ROUNDS = 5
_NUDGE_INTERVAL = 1.0
#: How long a start waits for a data plane that does not answer, in seconds, and how often it tries.
_PATIENCE = 15.0
_RETRY = 0.5
_CHANGE_LIMIT = 20.0
_TABLE_LIMIT = 60.0
_DOUBTS = RouteMissing | RoutesDoubted | HubsChanged | ServiceChanged | EventsMissed
_log = logging.getLogger("carrel.routes")

#: Returns while a server is ours to change, and raises otherwise.
Check = Callable[[Server], None]


def _allow(_: Server) -> None:
    """Return."""


class RouteKeeper:
    """Sets and removes routes, and repairs the table when it drifts. All changes go through one lock."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self._lock = asyncio.Lock()
        self._ahead: dict[str, Route] = {}
        self._starting: frozenset[int] = frozenset()
        """Servers whose routes other hubs may have set before the last sync removed them."""
        self._nudged = asyncio.Event()
        self._next = 0.0
        self._looking = asyncio.Lock()
        self._retired = False

    @asynccontextmanager
    async def added(self, server: Server, check: Check = _allow) -> AsyncIterator[None]:
        """Set the route of a server for the block that calls it running; raises ProxyError.

        From the block's end on the row alone says whether there is a route: when it was not written, the
        route goes away again. It may be a while until it can be set: what `check` raises then keeps it from
        that.
        """
        route = route_of(server, self._ctx.hosts)
        try:
            await self._add(route, lambda: check(server))
            yield
        except BaseException:
            self.nudge()
            raise
        finally:
            # A start that was left behind ends beside the next one.
            if self._ahead.get(route.spec) is route:
                del self._ahead[route.spec]

    async def _add(self, route: Route, check: Callable[[], None]) -> None:
        """Set a route, waiting for a data plane that is being started again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while True:
            try:
                async with self._lock:
                    check()
                    self._ahead[route.spec] = route
                    with timed(self._ctx, Work.ADD_ROUTE):
                        await self._add_now(route)
                return
            except Unreachable:
                if loop.time() > until:
                    raise
            self.nudge()
            await asyncio.sleep(_RETRY)

    def nudge(self) -> None:
        """Have the table compared with the rows at once, or in a moment when that was just done."""
        self._nudged.set()

    async def remove(self, server: Server, check: Check = _allow) -> None:
        """Remove a server's route; what cannot be removed now is removed by the next repair.

        What `check` raises when its turn has come keeps it from that.
        """
        spec = route_of(server, self._ctx.hosts).spec
        async with self._lock:
            check(server)
            self._ahead.pop(spec, None)
            try:
                with timed(self._ctx, Work.REMOVE_ROUTE):
                    await self._delete(spec)
            except Exception as error:
                _log.warning("Route %s stays until the next repair: %s", spec, error)
                self.nudge()

    async def sync(self) -> None:
        """Make the table equal to the rows; raises ProxyError."""
        async with self._lock:
            with timed(self._ctx, Work.CHECK_ROUTES):
                await self._put()

    async def _add_now(self, route: Route) -> None:
        try:
            await self._bounded(self._ctx.proxy.add_route(route.spec, route.target, route.data))
        except OutOfStep:
            await self._put()

    async def _delete(self, spec: str) -> None:
        try:
            await self._bounded(self._ctx.proxy.delete_route(spec))
        except OutOfStep:
            await self._put(without=spec)

    async def _put(self, without: str = "") -> None:
        """Set the whole table; the row of a server whose route goes away may still call it running."""
        if self._ctx.peers.others:
            await self._mend(without)
            return
        # Noted before the rows are read: one that settles meanwhile stands in neither otherwise.
        ahead = dict(self._ahead)
        table = await wanted_routes(self._ctx) | ahead
        table.pop(without, None)
        await self._bounded(self._ctx.proxy.put_routes(table), _TABLE_LIMIT)

    async def _mend(self, without: str) -> None:
        """Set what is missing and remove what is left over, beside other hubs that change the table, too.

        A hub sets the route of a server before it writes that the server runs. So what others are starting
        is left alone, and what was done is compared with the rows once more.
        """
        proxy = self._ctx.proxy
        for _ in range(_ROUNDS):
            present = await self._bounded(proxy.get_all_routes(), _TABLE_LIMIT)
            ahead = dict(self._ahead)
            elsewhere, wanted = await started_elsewhere(self._ctx), await wanted_routes(self._ctx)
            table = wanted | ahead
            table |= {spec: as_route(present[spec]) for spec in elsewhere if spec in present}
            table.pop(without, None)
            left_over = present.keys() - table.keys()
            removed = bool(left_over)
            try:
                for spec in left_over:
                    await self._bounded(proxy.delete_route(spec))
                for spec, route in table.items():
                    if differs(route, present.get(spec)):
                        await self._bounded(proxy.add_route(spec, route.target, route.data))
            except OutOfStep:
                removed = True
                await self._bounded(proxy.put_routes(table), _TABLE_LIMIT)
            # One that had ended at our look may have been started since, and lost its new route to us.
            self._starting = frozenset((await started_elsewhere(self._ctx)).values() if removed else ())
            if wanted == await wanted_routes(self._ctx):
                return
        self.nudge()

    def heed(self, event: Event) -> None:
        """Look at once when a route may be missing; give this to the bus.

        A hub got a request that a route should have caught, a hub came or went, or a server runs whose route
        was set before this hub last set the table.
        """
        late = isinstance(event, ServerChanged) and event.server_id in self._starting
        if late or isinstance(event, _DOUBTS):
            self.nudge()

    async def run(self) -> None:
        """Watch the data plane and the table until cancelled or retired."""
        rounds = 0
        doubtful = False
        while not self._retired:
            nudged = await self._pause()
            rounds += 1
            doubtful = doubtful or nudged or rounds % _SYNC_EVERY == 0
            async with self._looking:
                if not self._retired:
                    doubtful = not await self._look(doubtful=doubtful)

    async def retire(self) -> None:
        """Return when `run` starts no data plane any more: it is about to be stopped. May be repeated."""
        self._retired = True
        # What is being started can be stopped once it is there.
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE), self._looking:
                pass

    async def _look(self, *, doubtful: bool) -> bool:
        """Have the data plane run, and set its table when that is `doubtful` or the data plane is new.

        Tells whether the table is right now, as far as one knows.
        """
        try:
            doubtful = await self._bounded(self._ctx.proxy.start(), _TABLE_LIMIT) or doubtful
            if doubtful:
                await self.sync()
            return True
        except ProxyError as error:
            _log.error("The data plane cannot be reached: %s", error)
        except StorageUnavailable as error:
            _log.warning("Routes cannot be checked, trying again: %s", error)
        except Exception:
            _log.exception("Routes could not be checked; trying again")
        return not doubtful

    async def _pause(self) -> bool:
        """Wait for a nudge or the next check and tell which it was; nudges are heard once a second."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CHECK_INTERVAL):
                await self._nudged.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(max(0.0, self._next - loop.time()))
        self._next = loop.time() + _NUDGE_INTERVAL
        self._nudged.clear()
        return True

    @staticmethod
    async def _bounded(call: Awaitable[Any], limit: float = _CHANGE_LIMIT) -> Any:
        """Await what the proxy does; a call that hangs must not hold up all others for ever."""
        try:
            return await resolve_within(call, limit)
        except TookTooLong:
            raise Unreachable(f"the proxy did not answer within {limit:g} seconds") from None


async def collect_activity(ctx: HubContext) -> None:
    """Note when each routed server was last used, as the data plane saw it."""
    with timed(ctx, Work.READ_ROUTES):
        table = await ctx.proxy.get_all_routes()
    async with ctx.store.read() as tx:
        servers = await tx.servers.routed()
    hosts = ctx.hosts
    for server in servers:
        entry = table.get(route_of(server, hosts).spec)
        seen = None if entry is None else entry["data"].get("last_activity")
        if isinstance(seen, str):
            moment = parse_iso(seen)
            ctx.activity.server(server.id, moment, server.last_activity)
            ctx.activity.user(server.user_id, moment)
