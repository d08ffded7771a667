"""What is kept of users by blocks of their ids agrees with the users, whatever becomes of them."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from carrel.domain.paging import PageRequest
from carrel.lib.clock import SystemClock
from carrel.storage.backups import Backups
from carrel.storage.rollback import back_up, roll_back
from carrel.storage.sql import users as sql_users
from carrel.storage.sql.store import SqlStore
from carrel.storage.sql.tables import BLOCK
from carrel.storage.users import UserFilter

#: The folded forms of some have parts that the names have not, and some are folded alike.
SYLLABLES = ("a", "B", "b", "ß", "SS", "İ", "李", "-", "_", "%", "9", "e\u0301", "é", "\n")
PARTS = ("a", "b", "ss", "ß", "i̇", "李", "%", "_", "-9", "é", "e\u0301", "bb", "a\nb", "\n", "zz", "ab-")
#: Users of three blocks and some more.
MANY = 3 * BLOCK + 20


async def open_store(url: str, directory: Path) -> SqlStore:
    store = SqlStore(url, directory=directory, clock=SystemClock())
    await store.open()
    return store


@pytest.fixture(params=["file", pytest.param("server", marks=pytest.mark.real)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    on_server = request.param == "server"
    url = request.getfixturevalue("postgres_url") if on_server else "sqlite:///blocks.sqlite"
    store = await open_store(url, tmp_path)
    yield store
    await store.close()


def some_name(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randint(1, 5)))


async def populate(store: SqlStore, chance: random.Random) -> dict[int, str]:
    """Make users, rename some back and forth, remove many; return names by id, in the order of the ids."""
    known: dict[int, str] = {}
    async with store.write() as tx:
        while len(known) < MANY:
            name = some_name(chance) + "~" * (len(known) % 3)
            if await tx.users.get(name) is None:
                known[(await tx.users.create(name, admin=False, now=1.0)).id] = name
    async with store.write() as tx:
        for user_id in chance.sample(sorted(known), 40):
            old, new = known[user_id], f"{known[user_id]}{user_id}Z"
            await tx.users.rename(user_id, new)
            if chance.random() < 0.5:
                await tx.users.rename(user_id, old)
            else:
                known[user_id] = new
        # One block whole, and half of the others.
        for user_id in sorted(known):
            if BLOCK <= user_id < 2 * BLOCK or chance.random() < 0.5:
                await tx.users.delete(user_id)
                del known[user_id]
    return known


async def ask(store: SqlStore, which: UserFilter, page: PageRequest) -> tuple[list[int], int]:
    async with store.read() as tx:
        found = await tx.users.page(which, page)
    return [user.id for user in found.items], found.total


async def assert_right(store: SqlStore, known: dict[int, str]) -> None:
    """Every search finds what a look at all names finds, in both orders, and says how many that are."""
    for part in PARTS:
        wanted = [each for each in sorted(known) if part.casefold() in known[each].casefold()]
        for descending in (False, True):
            ordered = wanted[::-1] if descending else wanted
            which = UserFilter(part, descending=descending)
            assert await ask(store, which, PageRequest()) == (ordered[:200], len(wanted)), part
            for offset in (1, len(wanted) - 1):
                page = PageRequest(max(0, offset), 3)
                assert await ask(store, which, page) == (ordered[page.offset :][:3], len(wanted)), part


async def test_searches_find_what_a_look_at_every_name_finds(store: SqlStore) -> None:
    known = await populate(store, random.Random(7))
    await assert_right(store, known)
    async with store.write() as tx:
        for user_id in known:
            await tx.users.delete(user_id)
    assert await ask(store, UserFilter("a"), PageRequest()) == ([], 0)
    assert await ask(store, UserFilter(), PageRequest()) == ([], 0)


async def test_pages_far_behind_are_the_same_pages(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_users, "_FAR", 0)
    assert await ask(store, UserFilter(), PageRequest()) == ([], 0)
    known = sorted(await populate(store, random.Random(8)))
    for offset in range(0, len(known) + 2, 5):
        assert await ask(store, UserFilter(), PageRequest(offset, 7)) == (
            known[offset : offset + 7],
            len(known),
        )


async def test_all_at_once(store: SqlStore) -> None:
    """As a database is taken over, and cleared."""
    row = {"admin": False, "created": 1.0, "last_activity": 0.0}
    rows = [{**row, "id": n, "name": f"User{n}", "folded": f"user{n}"} for n in range(1, MANY, 2)]
    async with store.write() as tx:
        await tx.bulk.put({"users": rows})
    await assert_right(store, {n: f"User{n}" for n in range(1, MANY, 2)})
    assert (await ask(store, UserFilter("user"), PageRequest()))[1] == len(rows)
    await store.clear()
    assert (await ask(store, UserFilter("user"), PageRequest()))[1] == 0
    async with store.read() as tx:
        assert await tx.bulk.count("user_blocks") == 0


async def test_a_copy_that_is_put_back_counts_everybody_once(store: SqlStore, tmp_path: Path) -> None:
    known = await populate(store, random.Random(9))
    url = store._url
    copy = back_up(url, tmp_path, SystemClock())
    async with store.write() as tx:
        await tx.users.create("later", admin=False, now=1.0)
    await store.close()
    roll_back(url, tmp_path, SystemClock(), copy)
    await store.open()
    await assert_right(store, known)
    assert (await ask(store, UserFilter(), PageRequest()))[1] == len(known)


async def test_users_of_a_release_before(tmp_path: Path) -> None:
    """Those who were there before there were blocks are found, and those who come later."""
    store = await open_store("sqlite:///c.sqlite", tmp_path)
    known = await populate(store, random.Random(10))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)) as connection:
        for name in ("insert", "update", "delete"):
            connection.execute(f"DROP TRIGGER user_blocks_{name}")
        connection.execute("DROP TABLE user_blocks")
        connection.execute("UPDATE alembic_version SET version_num = '0011'")
    await store.open()
    assert Backups(tmp_path / "c.sqlite", SystemClock()).all()[0].revision == "0011"
    async with store.write() as tx:
        later = await tx.users.create("later-ab-", admin=False, now=1.0)
    await assert_right(store, {**known, later.id: later.name})
    await store.close()


@pytest.mark.real
async def test_who_comes_while_the_last_of_a_block_goes_is_found(postgres_url: str, tmp_path: Path) -> None:
    store = await open_store(postgres_url, tmp_path)
    async with store.write() as tx:
        ada = await tx.users.create("ada", admin=False, now=1.0)

    async def come() -> None:
        async with store.write() as tx:
            await tx.users.create("bea", admin=False, now=1.0)

    async with store.write() as tx:
        await tx.users.delete(ada.id)
        coming = asyncio.create_task(come())
        await until_somebody_waits(postgres_url)
    await coming
    assert (await ask(store, UserFilter("bea"), PageRequest()))[1] == 1
    assert (await ask(store, UserFilter(), PageRequest()))[1] == 1
    await store.close()


async def until_somebody_waits(url: str) -> None:
    import psycopg

    until = time.monotonic() + 30
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            found = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await found.fetchone() != (0,):
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nobody waited for a lock")
