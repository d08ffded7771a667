"""PostgreSQL is a Store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.domain.servers import Actual, Server, Wanted
from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore
from carrel.testing.conformance.store import SnapshotConformance, StoreConformance
from carrel.testing.conformance.store_records import add_server, add_user

pytestmark = pytest.mark.real


class TestPostgres(StoreConformance, SnapshotConformance):
    @pytest.fixture
    async def store(self, postgres_url: str, tmp_path: Path) -> AsyncIterator[SqlStore]:
        store = SqlStore(postgres_url, directory=tmp_path, clock=SystemClock())
        await store.open()
        yield store
        await store.close()

    async def test_of_two_hubs_one_gets_a_device(self, store: SqlStore) -> None:
        """Both see it free: what one has written the other waits for, and then goes without."""
        user = await add_user(store)
        rows = [await add_server(store, user, name, wanted=Wanted.RUNNING) for name in ("one", "two")]
        both_look = asyncio.Barrier(2)

        async def begin(row: Server) -> bool:
            async with store.write() as tx:
                assert await tx.devices.leases() == []
                await both_look.wait()
                saved = await tx.servers.save(replace(row, actual=Actual.STARTING, generation=1))
                assert saved is not None
                return await tx.devices.lease(row.id, 1, {"gpu": ["b", "a"], "matlab": ["1"]})

        assert sorted(await asyncio.gather(*map(begin, rows))) == [False, True]
        async with store.read() as tx:
            assert len({lease.server_id for lease in await tx.devices.leases()}) == 1
            assert len(await tx.devices.leases()) == 3
