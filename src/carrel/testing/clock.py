"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from carrel.lib.clock import Timestamp

_BEGIN = 1_800_000_000.0
_ENOUGH = 100_000


class _Loop(Protocol):
    """What asyncio's own event loops keep their work in."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def time(self) -> float: ...


class FakeClock:
    """Time that moves only when `advance` is called, for the hub and, inside `drive`, for the event loop.

    With the loop driven, `asyncio.sleep`, `asyncio.timeout` and `call_later` wait for the same moments as
    `clock.sleep`: nothing waits for real, and nothing times out unasked.
    """

    def __init__(self, now: Timestamp = _BEGIN) -> None:
        self._offset = now
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._loop: _Loop | None = None

    def now(self) -> Timestamp:
        """Return wall time."""
        return self._offset + self._elapsed

    def monotonic(self) -> float:
        """Return the seconds that this clock was advanced by."""
        return self._elapsed

    def jump(self, seconds: float) -> None:
        """Set the wall clock, and it alone, forward or back."""
        self._offset += seconds

    def block(self, seconds: float) -> None:
        """Let time pass without letting anybody work, as a call does that blocks the event loop."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = (self._elapsed + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: whatever is due on the way wakes at its own moment, in order."""
        until = self._elapsed + seconds
        await self.settle()
        while (due := self._next_due()) is not None and due <= until:
            self._elapsed = max(self._elapsed, due)
            for moment, future in self._sleepers:
                if moment <= self._elapsed and not future.done():
                    future.set_result(None)
            await self.settle()
        self._elapsed = until
        await self.settle()

    async def settle(self) -> None:
        """Return when nothing on the loop can go on without time passing or news from outside."""
        for _ in range(_ENOUGH):
            await asyncio.sleep(0)
            if not self._busy():
                return
        raise AssertionError("The event loop does not come to rest: something is spinning.")

    @contextmanager
    def drive(self) -> Iterator[None]:
        """Let the running loop's timers follow this clock while the block runs; asyncio's own loops only."""
        loop: Any = asyncio.get_running_loop()
        if not hasattr(loop, "_scheduled"):
            raise TypeError(f"FakeClock cannot drive {type(loop).__name__}; use asyncio's own event loop")
        self._loop, loop.time = cast(_Loop, loop), self.monotonic
        try:
            yield
        finally:
            self._loop = None
            del loop.time

    def _busy(self) -> bool:
        loop = cast(_Loop, asyncio.get_running_loop())
        due = self._next_due()
        return bool(loop._ready) or (due is not None and due <= self._elapsed)

    def _next_due(self) -> float | None:
        moments = [moment for moment, future in self._sleepers if not future.done()]
        if self._loop is not None:
            moments += [timer.when() for timer in self._loop._scheduled if not timer.cancelled()]
        return min(moments, default=None)
