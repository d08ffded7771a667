"""What every Store must do.

A driver's test file gives a `store` fixture (an open, empty Store) and one class:

    class TestMine(StoreConformance): ...

A store whose readers are isolated from an open writer adds `SnapshotConformance`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from carrel.domain.errors import Conflict
from carrel.domain.users import User
from carrel.storage.base import StorageError, Store
from carrel.testing.conformance.store_devices import DevicesConformance
from carrel.testing.conformance.store_oauth import OAuthConformance
from carrel.testing.conformance.store_people import TokensConformance, UsersConformance
from carrel.testing.conformance.store_records import NOW, add_server, add_user
from carrel.testing.conformance.store_rights import GroupsConformance, RolesConformance
from carrel.testing.conformance.store_servers import HubsConformance, ServersConformance
from carrel.testing.conformance.store_services import ServicesConformance
from carrel.testing.conformance.store_shares import ShareCodesConformance, SharesConformance


class TransactionConformance:
    """All or nothing."""

    async def test_an_exception_leaves_nothing_behind(self, store: Store) -> None:
        async def fail() -> None:
            async with store.write(durable=True) as tx:
                await tx.users.create("ada", admin=False, now=NOW)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with store.read() as tx:
            assert await tx.users.get("ada") is None

    async def test_a_cancelled_block_leaves_nothing_behind(self, store: Store) -> None:
        inside = asyncio.Event()

        async def write() -> None:
            async with store.write() as tx:
                await tx.users.create("ada", admin=False, now=NOW)
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(write())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await add_user(store)).name == "ada"

    async def test_many_at_once(self, store: Store) -> None:
        await asyncio.gather(*(add_user(store, f"user{number}") for number in range(40)))

        async def look(number: int) -> User | None:
            async with store.read() as tx:
                return await tx.users.get(f"user{number}")

        assert all(await asyncio.gather(*map(look, range(40))))

    async def test_a_checkpoint_changes_nothing(self, store: Store) -> None:
        user = await add_user(store)
        await store.checkpoint()
        await store.checkpoint()
        async with store.read() as tx:
            assert await tx.users.get("ada") == user


class BulkConformance:
    """Whole tables."""

    async def test_tables_come_back_as_they_went_in(self, store: Store) -> None:
        user = await add_user(store)
        server = await add_server(store, user, "lab")
        async with store.write() as tx:
            await tx.facts.put("key", "value")
            kept = {table: await tx.bulk.all(table) for table in ("users", "servers")}
            assert [row["name"] for row in kept["users"]] == ["ada"]
            await tx.bulk.clear()
            assert await tx.bulk.count("users") == 0
            assert await tx.facts.get("key") == "value"
            rows = {table: [{**row} for row in rows] for table, rows in kept.items()}
            rows["users"][0]["id"] = rows["servers"][0]["user_id"] = 1000
            await tx.bulk.put(rows)
        async with store.read() as tx:
            moved = await tx.users.get("ada")
            assert moved is not None
            assert (moved.id, moved.admin, moved.created) == (1000, user.admin, user.created)
            assert await tx.servers.get_by_id(server.id) == replace(server, user_id=1000)
        assert (await add_user(store, "bea")).id > 1000

    async def test_a_row_that_is_there_already_is_a_conflict(self, store: Store) -> None:
        await add_user(store)
        with pytest.raises(Conflict):
            async with store.write() as tx:
                await tx.bulk.put({"users": await tx.bulk.all("users")})


class StoreConformance(
    UsersConformance,
    GroupsConformance,
    RolesConformance,
    TokensConformance,
    ServersConformance,
    HubsConformance,
    DevicesConformance,
    OAuthConformance,
    SharesConformance,
    ShareCodesConformance,
    ServicesConformance,
    BulkConformance,
    TransactionConformance,
):
    """All of it."""


class SnapshotConformance:
    """Readers see one state, whatever a writer does meanwhile, and nobody waits for them."""

    async def test_a_reader_keeps_its_state_while_a_writer_commits(self, store: Store) -> None:
        await add_user(store)
        async with store.read() as before:
            assert await before.users.get("bea") is None
            async with store.write() as tx:
                await tx.users.create("bea", admin=False, now=NOW)
                async with store.read() as during:
                    assert await during.users.get("bea") is None
            assert await before.users.get("bea") is None
            async with store.read() as after:
                assert await after.users.get("bea") is not None

    async def test_a_read_block_cannot_write(self, store: Store) -> None:
        with pytest.raises(StorageError):
            async with store.read() as tx:
                await tx.facts.put("key", "value")
        async with store.read() as tx:
            assert await tx.facts.get("key") is None
