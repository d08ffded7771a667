"""PostgreSQL restarts, drops connections and ends transactions by itself; the store goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from carrel.lib.clock import SystemClock
from carrel.storage.base import SchemaMismatch, StorageError, Store
from carrel.storage.sql.store import SqlStore

pytestmark = pytest.mark.real

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"


def run_sql(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


async def until_there_are(count: int, url: str, query: str) -> None:
    async with asyncio.timeout(20):
        while len(run_sql(url, query)) != count:
            await asyncio.sleep(0.01)


async def put(store: Store, key: str) -> None:
    async with store.write() as tx:
        await tx.facts.put(key, "value")


@pytest.fixture
async def store(postgres_url: str, tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = postgres_url.replace("postgresql:", "postgresql+psycopg2:")
    store = SqlStore(url, directory=tmp_path, clock=SystemClock())
    await store.open()
    yield store
    await store.close()


async def test_connections_that_died_at_rest_are_replaced(store: SqlStore, postgres_url: str) -> None:
    await asyncio.gather(*(put(store, f"before{number}") for number in range(5)))
    run_sql(postgres_url, f"SELECT pg_terminate_backend(pid) {OTHERS}")
    await put(store, "after")
    async with store.read() as tx:
        assert await tx.facts.get("after") == "value"


async def test_a_connection_that_dies_inside_a_block_is_an_error_once(
    store: SqlStore, postgres_url: str
) -> None:
    async def interrupted() -> None:
        async with store.write() as tx:
            await tx.facts.put("lost", "value")
            run_sql(postgres_url, f"SELECT pg_terminate_backend(pid) {OTHERS}")
            await tx.facts.put("lost too", "value")

    with pytest.raises(StorageError):
        await interrupted()
    async with store.read() as tx:
        assert await tx.facts.get("lost") is None


async def test_a_swallowed_error_does_not_look_like_a_commit(store: SqlStore) -> None:
    async def swallow() -> None:
        async with store.write() as tx:
            await tx.facts.put("lost", "value")
            with pytest.raises(StorageError, match="ForeignKeyViolation"):
                await tx.servers.create(99, "", now=0.0)

    with pytest.raises(StorageError, match="undid the transaction"):
        await swallow()


async def test_cancelled_while_it_waits_for_a_row(store: SqlStore, postgres_url: str) -> None:
    await put(store, "key")
    async with store.write() as tx:
        await tx.facts.put("key", "mine")
        waiting = asyncio.create_task(put(store, "key"))
        await until_there_are(1, postgres_url, f"SELECT pid {OTHERS} AND wait_event_type = 'Lock'")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with store.read() as tx:
        assert await tx.facts.get("key") == "mine"


async def test_connections_are_few(store: SqlStore, postgres_url: str) -> None:
    await asyncio.gather(*(put(store, f"key{number}") for number in range(50)))
    ((count,),) = run_sql(postgres_url, f"SELECT count(*) {OTHERS}")
    assert isinstance(count, int)
    assert 1 <= count <= 8
    await store.close()
    await until_there_are(0, postgres_url, f"SELECT pid {OTHERS}")


async def test_jupyterhubs_database_is_refused(postgres_url: str, tmp_path: Path) -> None:
    run_sql(postgres_url, "CREATE TABLE spawners (id INTEGER)")
    store = SqlStore(postgres_url, directory=tmp_path, clock=SystemClock())
    with pytest.raises(SchemaMismatch, match="JupyterHub database"):
        await store.open()
    assert run_sql(postgres_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("spawners",)
    ]
