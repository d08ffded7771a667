"""What happens on SQLite while somebody else holds the file, and how statements find their rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.base import Executable

from carrel.domain.paging import PageRequest
from carrel.domain.tokens import Token
from carrel.storage.base import StorageError
from carrel.storage.sql import (
    facts,
    groups,
    imported_logins,
    oauth,
    roles,
    servers,
    sessions,
    share_codes,
    signing_keys,
    tokens,
    users,
)
from carrel.storage.sql.engine import Statements
from carrel.storage.sql.store import SqlStore
from carrel.storage.users import UserFilter


class SteppingClock:
    """Time passes only when somebody sleeps, and then something may happen."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        self.then: Callable[[int], None] = lambda count: None

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.pauses.append(seconds)
        self.then(len(self.pauses))


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
async def store(empty_file: Path, clock: SteppingClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(f"sqlite:///{empty_file}", directory=empty_file.parent, clock=clock, jitter=lambda: 0.5)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def other(store: SqlStore, empty_file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(empty_file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_a_writer_waits_for_another_process_with_growing_pauses(
    store: SqlStore, other: sqlite3.Connection, clock: SteppingClock
) -> None:
    clock.then = lambda count: other.rollback() if count == 8 else None
    async with store.write() as tx:
        await tx.facts.put("key", "value")
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses == pytest.approx([0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05])
    other.close()


async def test_a_writer_gives_up_after_five_seconds(
    store: SqlStore, other: sqlite3.Connection, clock: SteppingClock
) -> None:
    with pytest.raises(StorageError, match="held the database for 5 seconds"):
        async with store.write():
            pass
    assert 5 <= clock.seconds < 5.1
    async with store.read() as tx:
        assert await tx.facts.get("key") is None
    other.close()
    async with store.write() as tx:
        await tx.facts.put("key", "value")


async def test_only_durable_transactions_are_synced(store: SqlStore) -> None:
    levels = []
    for durable in (False, True, True, False):
        async with store.write(durable=durable):
            levels.append(_synchronous(store))
    assert levels == [1, 2, 2, 1]


def _synchronous(store: SqlStore) -> int:
    connection: sqlite3.Connection = store._engine._writer  # type: ignore[union-attr]
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    return int(level)


async def test_an_error_tells_neither_statement_nor_values(store: SqlStore) -> None:
    orphan = Token(0, 99, "nobody", "hunt", "hunter2", (), 0.0)
    with pytest.raises(StorageError) as caught:
        async with store.write() as tx:
            await tx.tokens.add(orphan)
    assert str(caught.value) == "The database refused: SQLITE_CONSTRAINT_FOREIGNKEY."


_PEOPLE = (facts, groups, roles, users)


def _statements() -> dict[str, Executable]:
    return {
        f"{module.__name__.rpartition('.')[2]}.{name.strip('_')}": value
        for module in (*_PEOPLE, imported_logins, oauth, servers, sessions, share_codes, signing_keys, tokens)
        for name, value in vars(module).items()
        if isinstance(value, Executable) and name.isupper() and name not in ("_SELECT", "_ALL")
    }


@pytest.mark.parametrize("name", _statements())
def test_every_look_up_uses_an_index(migrated_file: Path, name: str) -> None:
    sql = Statements(SQLiteDialect_pysqlite(paramstyle="named")).text(_statements()[name])
    with closing(sqlite3.connect(migrated_file)) as connection:
        names = re.findall(r":(\w+)", sql)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(names, "[]")).fetchall()
    scans = [step[3] for step in plan if step[3].startswith("SCAN") and "INDEX" not in step[3]]
    # What a statement has found by an index itself may be looked through.
    found = ("json_each", "CONSTANT ROW", "anon_", "(subquery-")
    assert [step for step in scans if not any(text in step for text in found)] == []


async def test_pages_are_two_statements_whatever_their_size(store: SqlStore) -> None:
    async with store.write() as tx:
        for number in range(300):
            await tx.users.create(f"user{number:03}", admin=False, now=0.0)
    seen: list[str] = []
    async with store.read() as tx:
        connection = tx._link._connection  # type: ignore[attr-defined]
        connection.set_trace_callback(seen.append)
        page = await tx.users.page(UserFilter(state="inactive", sort="name"), PageRequest(limit=200))
        await tx.servers.of_users([user.id for user in page.items])
        connection.set_trace_callback(None)
    assert len(page.items) == 200
    assert len([text for text in seen if text.startswith("SELECT")]) == 3
