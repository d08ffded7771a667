"""Who works on a server: a lease in its row, fenced by the version at which it was taken.

A lease is short. While a hub holds any it moves the end of all of them forward with one statement; a hub that
dies or is cut off stops doing so, and once the end has come another takes the server over. That moment comes
for the old owner too: it measures by its own clocks, counts itself out a little earlier, and asks `check`
before each step that others would see (a process, a route). What it still writes afterwards is refused,
because the row has a newer fence. How long the work may take is another matter, and stands in `deadline`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from carrel.core.context import HubContext
from carrel.core.servers import change
from carrel.domain.servers import Lease, Server
from carrel.lib.clock import Timestamp
from carrel.storage.base import StorageUnavailable, Transaction

#: How long a lease holds without being renewed, in seconds.
TERM = 10.0
#: How often the leases that a hub holds are renewed, in seconds.
RENEW_EVERY = 2.0
#: How much earlier than the others a hub counts its own lease out: clocks differ, and steps take time.
MARGIN = 2.5
_AGAIN = 0.5
_log = logging.getLogger("carrel.lifecycle")


class LeaseLost(Exception):
    """Somebody else works on the server now, or may: leave it alone."""


@dataclass(frozen=True, slots=True)
class _Held:
    fence: int
    until: float
    """By the monotonic clock: another's wall clock cannot move it."""
    expires: Timestamp
    """By the wall clock: the monotonic one may stand still while a machine is suspended."""


class Leases:
    """The leases of one hub process; `owner` names it, and no other process ever."""

    def __init__(self, ctx: HubContext, owner: str) -> None:
        self.owner = owner
        self._ctx = ctx
        self._held: dict[int, _Held] = {}

    def take(self, row: Server, deadline: Timestamp) -> Server:
        """Return `row` with a lease of ours; writing it gives the row exactly the fence's version."""
        expires = self._ctx.clock.now() + TERM
        return replace(row, lease=Lease(self.owner, expires, row.version + 1), deadline=deadline)

    async def acquire(self, server: Server, decide: Callable[[Server], Server]) -> Server | None:
        """Write what `decide` makes of the row and return it when that took the lease, else None."""
        began = self._ctx.clock.monotonic()
        row = await change(self._ctx, server.id, decide)
        return row if row is not None and self.hold(row, began) else None

    def hold(self, row: Server, began: float) -> bool:
        """Count the lease that was just written as ours; `began` is the monotonic time before the write.

        Tells whether it was: a row that nobody took now has a version that is not its fence.
        """
        lease = row.lease
        if lease is None or lease.owner != self.owner or lease.fence != row.version:
            return False
        self._held[row.id] = _Held(lease.fence, began + TERM, lease.expires)
        return True

    def check(self, row: Server) -> None:
        """Return while the lease in `row` holds for certain; raise LeaseLost otherwise."""
        held = self._held.get(row.id)
        if held is None or row.lease is None or held.fence != row.lease.fence:
            raise LeaseLost
        clock = self._ctx.clock
        late = clock.monotonic() >= held.until - MARGIN or clock.now() >= held.expires - MARGIN
        # A database that only one hub may use has nobody who would take over.
        if late and not self._ctx.store.single_hub:
            raise LeaseLost

    async def write(
        self,
        server: Server,
        decide: Callable[[Server], Server],
        also: Callable[[Transaction], Awaitable[object]] | None = None,
    ) -> Server:
        """Write what `decide` makes of the row while it has the lease in `server`; raise LeaseLost otherwise.

        `also` belongs to the same transaction. While the lease holds, a database that is away is waited for.
        """
        while True:
            try:
                return await self._write(server, decide, also)
            except StorageUnavailable as error:
                _log.warning("Server %d cannot be written, trying again: %s", server.id, error)
                self.check(server)
                await self._ctx.clock.sleep(_AGAIN)

    async def _write(
        self,
        server: Server,
        decide: Callable[[Server], Server],
        also: Callable[[Transaction], Awaitable[object]] | None,
    ) -> Server:
        lease = server.lease

        def fenced(row: Server) -> Server:
            if lease is None or row.lease is None or row.lease.fence != lease.fence:
                raise LeaseLost
            return decide(row)

        saved = await change(self._ctx, server.id, fenced, also=also, durable=also is not None)
        if saved is None:
            raise LeaseLost
        if saved.lease is None:
            self._forget(server)
        return saved

    async def release(self, server: Server) -> None:
        """Give a lease up with the work unfinished, so that the next look recovers it. May be repeated."""
        self._forget(server)
        try:
            await self.write(server, lambda row: replace(row, lease=None))
        except LeaseLost:
            return

    async def run(self) -> None:
        """Renew what is held until cancelled."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if self._held:
                try:
                    await self.renew()
                except StorageUnavailable as error:
                    _log.warning("The leases of this hub cannot be renewed, trying again: %s", error)
                except Exception:
                    _log.exception("The leases of this hub could not be renewed; trying again")

    async def renew(self) -> None:
        """Move the end of every lease that is held forward, and forget those that are held no more."""
        clock = self._ctx.clock
        began, now, before = clock.monotonic(), clock.now(), dict(self._held)
        # Where no other hub can be, one that was late has lost nothing.
        since = 0.0 if self._ctx.store.single_hub else now
        async with self._ctx.store.write() as tx:
            kept = await tx.servers.renew(self.owner, expires=now + TERM, now=since)
        for server_id, held in before.items():
            if self._held.get(server_id) is not held:
                continue
            # By their fences: one that was taken anew a moment ago is not known here yet.
            if (server_id, held.fence) in kept:
                self._held[server_id] = _Held(held.fence, began + TERM, now + TERM)
            else:
                del self._held[server_id]

    def _forget(self, server: Server) -> None:
        held = self._held.get(server.id)
        if held is not None and server.lease is not None and held.fence == server.lease.fence:
            del self._held[server.id]
