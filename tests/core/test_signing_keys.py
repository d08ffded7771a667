"""Hubs that need the first key at the same moment make one, and sign with the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from carrel.core.context import HubContext
from carrel.core.openid import load_keys
from carrel.lib.clock import SystemClock
from carrel.storage.base import Store, Transaction
from carrel.storage.sql.store import SqlStore
from tests.storage.test_postgres_faults import run_sql

pytestmark = pytest.mark.real


class Slow:
    """A store that commits when the test says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read = store.read
        self.written, self.gate = asyncio.Event(), asyncio.Event()

    def write(self, *, durable: bool = False) -> AbstractAsyncContextManager[Transaction]:
        return self._write(durable=durable)

    @asynccontextmanager
    async def _write(self, *, durable: bool) -> AsyncIterator[Transaction]:
        async with self._store.write(durable=durable) as tx:
            yield tx
            self.written.set()
            await self.gate.wait()


def _hub(store: object) -> HubContext:
    """Return as much of a hub as the keys need."""
    return cast("HubContext", SimpleNamespace(store=store, clock=SystemClock()))


async def test_of_two_hubs_one_makes_the_key(postgres_url: str, tmp_path: Path) -> None:
    one, other = (SqlStore(postgres_url, directory=tmp_path, clock=SystemClock()) for _ in range(2))
    for store in (one, other):
        await store.open()
    slow = Slow(one)
    first = asyncio.create_task(load_keys(_hub(slow)))
    async with asyncio.timeout(20):
        await slow.written.wait()
        second = asyncio.create_task(load_keys(_hub(other)))
        while not (second.done() or run_sql(postgres_url, "SELECT 1 FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.01)
        slow.gate.set()
        assert await first == await second
    for store in (one, other):
        await store.close()
