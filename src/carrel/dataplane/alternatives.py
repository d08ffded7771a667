"""Several addresses for one route, as those of hubs that share a database: which of them is asked first.

They are asked in the order of the route. One that could not be reached, or went away before it answered,
comes last for a few seconds; then one request tries it again, so that no more than that one waits when it is
still gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from carrel.dataplane.pools import Pool, Tick
from carrel.dataplane.targets import Address, Target
from carrel.dataplane.upstream import UpstreamConnection

#: How long an address that failed is asked last, in seconds.
PAUSE = 5.0


class Alternatives:
    """Remembers which addresses failed lately."""

    __slots__ = ("_pool", "_tick", "_until")

    def __init__(self, pool: Callable[[Address], Pool], tick: Tick) -> None:
        self._pool = pool
        self._tick = tick
        #: Until when each is asked last.
        self._until: dict[Address, float] = {}

    def take(self, target: Target) -> UpstreamConnection | None:
        """Return a kept connection to the address that is to be asked first, or None.

        That one is asked for a connection then, with `connect`: whose turn it is to try an address again is
        found out there.
        """
        address = next(self._order(target))
        return None if address in self._until else self._pool(address).take()

    async def connect(self, target: Target) -> UpstreamConnection:
        """Return a new connection to the first address that takes one.

        Raises OSError or TimeoutError, of the last one, when none does.
        """
        *others, last = self._order(target)
        for address in others:
            with contextlib.suppress(OSError, TimeoutError):
                return await self._try(address)
        return await self._try(last)

    async def _try(self, address: Address) -> UpstreamConnection:
        if address in self._until:
            self.failed(address)  # whoever comes meanwhile asks another
        try:
            connection = await self._pool(address).connect()
        except (OSError, TimeoutError):
            self.failed(address)
            raise
        self._until.pop(address, None)
        return connection

    def failed(self, address: Address) -> None:
        """Ask this address last for a while."""
        now = self._tick.now
        self._until = {each: until for each, until in self._until.items() if until + PAUSE > now}
        self._until[address] = now + PAUSE

    def _order(self, target: Target) -> Iterator[Address]:
        """Yield all addresses of a target, those that failed lately at the end."""
        now = self._tick.now
        paused = [each for each in target.addresses if self._until.get(each, 0.0) > now]
        yield from (each for each in target.addresses if each not in paused)
        yield from sorted(paused, key=lambda each: self._until[each])
