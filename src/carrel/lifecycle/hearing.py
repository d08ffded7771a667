"""What the other hubs say, and what they are told besides what transactions announce."""

from __future__ import annotations

import asyncio
import logging

from carrel.core.context import HubContext
from carrel.domain.events import (
    Event,
    EventsMissed,
    RouteMissing,
    ServerProgress,
    ServerSpoke,
    ShutdownWanted,
)
from carrel.storage.base import StorageError

#: Events are gathered for so long before they are told, in seconds.
_GATHER = 0.1
_MOST = 500
_log = logging.getLogger("carrel.lifecycle")


class Hearing:
    """Puts other hubs' events on this one's bus (it is the store's `Ears`), and tells them this one's.

    Most events are sent with the transaction that makes them true. The steps of a start and requests without
    a route belong to none: they are told in the background, many at once, and lost when that fails.
    """

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self._pending: list[Event] = []
        self._wake = asyncio.Event()
        self._hears = False
        self._delivering = False

    async def run(self) -> None:
        """Listen until cancelled; returns at once where there can be no other hub."""
        await self._ctx.store.listen(self)

    # What is heard

    def listening(self) -> None:
        """Look at everything: what was said before may have been missed."""
        self._hears = True
        self._ctx.bus.publish(EventsMissed())

    def deliver(self, event: Event) -> None:
        """Publish another hub's event here, and keep its steps for those who come to watch later."""
        self._delivering = True
        try:
            if isinstance(event, ServerProgress):
                self._ctx.progress.say(event)
            elif not isinstance(event, EventsMissed | ShutdownWanted):
                self._ctx.bus.publish(event)
        finally:
            self._delivering = False

    def proved(self, moment: float) -> None:
        """Trust what is cached until this proof is too old."""
        if self._hears:
            self._ctx.callers.prove(moment)

    def lost(self) -> None:
        """Trust nothing that is cached until it is listened again."""
        self._hears = False
        self._ctx.callers.prove(None)

    # What is told

    def heed(self, event: Event) -> None:
        """Keep what the others should be told and no transaction has announced; give this to the bus."""
        told = isinstance(event, ServerProgress | ServerSpoke | RouteMissing)
        if told and not self._delivering and len(self._pending) < _MOST:
            self._pending.append(event)
            self._wake.set()

    async def tell(self) -> None:
        """Tell the others, until cancelled."""
        while True:
            await self._wake.wait()
            await self._ctx.clock.sleep(_GATHER)
            self._wake.clear()
            events, self._pending = list(dict.fromkeys(self._pending)), []
            if not self._ctx.peers.others:
                continue
            try:
                await self._ctx.store.tell(events)
            except StorageError as error:
                _log.debug("Other hubs were not told of %d events: %s", len(events), error)
