"""Pages that many ask for at the same moment: loaded once for all of them, and kept for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from carrel.dataplane.fetch import Page


@dataclass(frozen=True, slots=True)
class Kept:
    """What was loaded, None when no page came, and until when it is good."""

    page: Page | None
    until: float

    @property
    def size(self) -> int:
        """Return the bytes of the page."""
        return len(self.page.body) if self.page else 0


class PageCache:
    """Holds at most so many pages and bytes; the oldest go first."""

    def __init__(
        self,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
        *,
        most_pages: int = 256,
        most_bytes: int = 4 * 1024 * 1024,
        at_once: int = 32,
    ) -> None:
        self._seconds = seconds
        self._now = now
        self._most_pages = most_pages
        self._most_bytes = most_bytes
        self._at_once = at_once
        # In the order in which they came, which is that in which they end.
        self._kept: dict[Hashable, Kept] = {}
        self._size = 0
        self._loading: dict[Hashable, asyncio.Task[Page | None]] = {}

    def find(self, key: Hashable) -> Kept | None:
        """Return what is kept under a key, or None."""
        kept = self._kept.get(key)
        return kept if kept is not None and self._now() < kept.until else None

    def may_load(self, key: Hashable) -> bool:
        """Tell whether `load` would wait for a load under way, or may begin one more."""
        return key in self._loading or len(self._loading) < self._at_once

    async def load(self, key: Hashable, read: Callable[[], Awaitable[Page | None]]) -> Page | None:
        """Return what is kept, what an earlier call for the key is about to return, or what `read` returns.

        None when too many pages are being loaded already. Who stops waiting does not stop the others. `read`
        must end by itself, and raises nothing.
        """
        # Between a caller's questions and this call a load that it saw may have ended, and others begun.
        kept = self.find(key)
        if kept is not None:
            return kept.page
        if not self.may_load(key):
            return None
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.get_running_loop().create_task(self._load(key, read))
        return await asyncio.shield(task)

    async def _load(self, key: Hashable, read: Callable[[], Awaitable[Page | None]]) -> Page | None:
        try:
            page = await read()
            self._keep(key, page)
            return page
        finally:
            del self._loading[key]

    def _keep(self, key: Hashable, page: Page | None) -> None:
        if not self._seconds:
            return
        now = self._now()
        self._drop(key)
        kept = self._kept[key] = Kept(page, now + self._seconds)
        self._size += kept.size
        while self._kept:
            oldest = next(iter(self._kept))
            full = len(self._kept) > self._most_pages or self._size > self._most_bytes
            if not full and now < self._kept[oldest].until:
                return
            self._drop(oldest)

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size
