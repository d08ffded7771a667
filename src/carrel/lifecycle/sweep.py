"""Looking for work that no event told of: a page at a time, by index, however many servers there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from carrel.core.context import HubContext
from carrel.core.servers import reload_server
from carrel.lifecycle.lease import Leases
from carrel.lifecycle.line import StartLine
from carrel.storage.base import StorageUnavailable

SWEEP_INTERVAL = 2.0
_PAGE = 500
_log = logging.getLogger("carrel.lifecycle")

#: Returns the next ids after one, at most so many.
Read = Callable[[int, int], Awaitable[Sequence[int]]]


class Sweep:
    """Puts servers into the queue (`add`) that are not what they should be, and those whose poll is due.

    Both are read round and round, a page each time: what is at the end of a long list has its turn like what
    is at the beginning. Starts that are due are the line's business.
    """

    def __init__(
        self,
        ctx: HubContext,
        leases: Leases,
        line: StartLine,
        add: Callable[[int], None],
        is_poll_due: Callable[[int], bool],
    ) -> None:
        self._ctx = ctx
        self._leases = leases
        self._line = line
        self._add = add
        self._is_poll_due = is_poll_due
        self._flight_at = 0
        self._url_at = 0
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Sweep at once: events were missed."""
        self._hurried.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        voided = False
        while True:
            try:
                if not voided:
                    await self._void_old_leases()
                    voided = True
                await self.once()
            except StorageUnavailable as error:
                _log.warning("The servers cannot be looked through, trying again: %s", error)
            except Exception:
                _log.exception("The servers could not be looked through; trying again")
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_INTERVAL):
                    await self._hurried.wait()
            self._hurried.clear()

    async def once(self) -> None:
        """Read the next page of each kind of work."""
        async with self._ctx.store.read() as tx:
            flying = await tx.servers.in_flight(self._flight_at, _PAGE)
            routed = await tx.servers.with_url(self._url_at, _PAGE)
        self._flight_at, self._url_at = _end_of(flying), _end_of(routed)
        for server_id in flying:
            self._add(server_id)
        for server_id in routed:
            if self._is_poll_due(server_id):
                self._add(server_id)
        if await self._line.expire():
            # A whole class may have waited in vain; what else there is to do has its turn in between.
            self.hurry()
        self._line.wake()

    async def _void_old_leases(self) -> None:
        """Where only one hub may use the database, whoever held a lease before is dead."""
        if not self._ctx.store.single_hub:
            return
        at = 0
        while True:
            async with self._ctx.store.read() as tx:
                page = await tx.servers.in_flight(at, _PAGE)
            for server_id in page:
                row = await reload_server(self._ctx, server_id)
                if row is not None and row.lease is not None and row.lease.owner != self._leases.owner:
                    await self._leases.release(row)
            at = _end_of(page)
            if not at:
                return


def _end_of(page: Sequence[int]) -> int:
    """Return where the next page begins; 0, the beginning, after the last."""
    return page[-1] if len(page) == _PAGE else 0
