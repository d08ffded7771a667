"""Publish and subscribe inside one hub process.

Publishing never waits and never fails: a listener that raises is logged, a watcher that falls behind loses
its oldest events, not the hub's time. What matters is in the database; an event only says: look there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import TracebackType

from carrel.domain.events import Event, EventsMissed

_BACKLOG = 256


class Watch:
    """The events of some types since the watch began, oldest first; with `server_id`, only one server's.

    `EventsMissed` is among them whatever the types: whoever watches must look for themselves then.
    """

    def __init__(self, bus: Bus, types: tuple[type[Event], ...], server_id: int | None) -> None:
        self._bus = bus
        self._types = types
        self._server_id = server_id
        self._events: deque[Event] = deque(maxlen=_BACKLOG)
        self._arrived = asyncio.Event()

    def __enter__(self) -> Watch:
        self._bus.listen(self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.unlisten(self._take)

    async def next(self) -> Event:
        """Return the next event, waiting for it when there is none."""
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    async def next_within(self, seconds: float | None) -> Event | None:
        """Return the next event, or None when none came in `seconds`; None seconds wait for ever."""
        try:
            async with asyncio.timeout(seconds):
                return await self.next()
        except TimeoutError:
            return None

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._all()

    async def _all(self) -> AsyncIterator[Event]:
        while True:
            yield await self.next()

    def _take(self, event: Event) -> None:
        # Filtered before anybody wakes: while a class starts, hundreds watch one server each.
        mine = self._server_id is None or getattr(event, "server_id", None) == self._server_id
        if (mine and isinstance(event, self._types)) or isinstance(event, EventsMissed):
            self._events.append(event)
            self._arrived.set()


class Bus:
    """Hands each published event to whoever listens at that moment."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []
        self._log = logging.getLogger("carrel.events")

    def publish(self, event: Event) -> None:
        """Hand `event` to every listener, in the order in which they came."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                self._log.exception("A listener failed on %s", type(event).__name__)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with each event from now on, on the loop, without waiting."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[Event], None]) -> None:
        """Stop calling `listener`; unknown ones are ignored."""
        with suppress(ValueError):
            self._listeners.remove(listener)

    def watch(self, *types: type[Event], server_id: int | None = None) -> Watch:
        """Return a watch over events of `types`; enter it before you look at the database."""
        return Watch(self, types, server_id)
