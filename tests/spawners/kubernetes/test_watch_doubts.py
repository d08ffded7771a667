from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from carrel.spawners.kubernetes.watch import Watch
from carrel.testing.clock import FakeClock


class SlowServer:
    """An API server that takes `seconds` for each list, and tells of nothing afterwards."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.lists = 0

    async def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        self.lists += 1
        await asyncio.sleep(self.seconds)
        return {"items": [], "metadata": {"resourceVersion": "1"}}

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str], silence: float) -> AsyncIterator[Any]:
        yield self._silence()

    async def _silence(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


async def test_a_list_comes_to_its_end_however_many_doubt_the_watch_meanwhile() -> None:
    clock = FakeClock()
    with clock.drive():
        server: Any = SlowServer(20)
        watch = Watch(server, "/pods", {}, lambda: 0.0)
        watch.all()
        for _ in range(25):
            await clock.advance(1)
            watch.doubt()
        assert server.lists == 1
        assert await watch.is_current()
        # From now on it may be doubted again.
        await clock.advance(10)
        watch.doubt()
        await clock.advance(1)
        assert server.lists == 2
        await watch.close()
