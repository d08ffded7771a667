"""A de-duplicating queue of keys with delays: what the reconciler works from."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class WorkQueue(Generic[Key]):
    """Keys that want a look, each at most once, the earliest due first.

    Times come from the running event loop. One consumer calls `get`; anybody on the loop calls `add`.
    """

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0
        self._changed = asyncio.Event()

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Want a look at `key` after `delay` seconds, or earlier if that was wanted already."""
        due = asyncio.get_running_loop().time() + delay
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, key))
        self._changed.set()

    async def get(self) -> Key:
        """Return the next key that is due, waiting for it; it is no longer in the queue then."""
        while True:
            self._changed.clear()
            wait = self._wait()
            if wait is not None and wait <= 0:
                _, _, key = heapq.heappop(self._heap)
                del self._due[key]
                return key
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def discard(self, key: Key) -> None:
        """Forget `key`; unknown ones are fine."""
        self._due.pop(key, None)

    def __len__(self) -> int:
        return len(self._due)

    def _wait(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return None
        return self._heap[0][0] - asyncio.get_running_loop().time()
