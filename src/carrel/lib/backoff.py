"""Waiting longer after each failure of the same thing, and never in step with others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Backoff(Generic[Key]):
    """When each key that has failed may be tried again. Times come from the running event loop.

    The pause doubles from `first` to `longest` seconds; `chance` returns numbers from 0 to 1 and takes up to
    half of it away.
    """

    def __init__(self, first: float, longest: float, chance: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._failed: dict[Key, tuple[int, float]] = {}

    def fail(self, key: Key) -> float:
        """Note a failure and return how many seconds to wait."""
        count = self._failed.get(key, (0, 0.0))[0]
        # The exponent is bounded too: a float holds no more.
        pause = min(self._first * 2.0 ** min(count, 64), self._longest) * (1 - self._chance() / 2)
        self._failed[key] = count + 1, asyncio.get_running_loop().time() + pause
        return pause

    def wait(self, key: Key) -> float:
        """Return how many seconds `key` has still to wait; 0 when it may be tried."""
        failed = self._failed.get(key)
        return 0.0 if failed is None else max(0.0, failed[1] - asyncio.get_running_loop().time())

    def clear(self, key: Key) -> None:
        """Forget the failures of `key`."""
        self._failed.pop(key, None)

    def __len__(self) -> int:
        return len(self._failed)
