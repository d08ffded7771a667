"""A hub that leaves is out of the others' sight at once, whatever it was saying in that moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from carrel.lifecycle.presence import BEAT, Presence
from carrel.storage.base import Transaction
from carrel.testing.hub import TrialHub, open_test_hub


class SlowStore:
    """A database that begins each write as late as the test wants."""

    def __init__(self, hub: TrialHub) -> None:
        self._store = hub.store
        self.open = asyncio.Event()
        self.open.set()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """See `Store`."""
        gate = self.open
        await gate.wait()
        async with self._store.write() as tx:
            yield tx


async def _alive(hub: TrialHub) -> int:
    async with hub.store.read() as tx:
        return len(await tx.hubs.alive(hub.clock.now()))


async def test_a_hub_that_leaves_while_it_says_that_it_lives_is_gone() -> None:
    async with open_test_hub(work=False) as hub:
        store: Any = SlowStore(hub)
        presence = Presence(replace(hub.ctx, store=store))
        await presence.join()
        assert await _alive(hub) == 1
        running = asyncio.create_task(presence.run())
        late = store.open = asyncio.Event()
        await hub.clock.advance(BEAT)
        store.open = asyncio.Event()
        store.open.set()
        leaving = asyncio.create_task(presence.leave())
        await hub.clock.settle()
        late.set()
        await leaving
        await hub.clock.advance(2 * BEAT)
        assert await _alive(hub) == 0
        running.cancel()
