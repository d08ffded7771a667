"""Copies of the database, made beside whoever uses it, and put back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from carrel.domain.hubs import Hub
from carrel.lib.clock import SystemClock
from carrel.storage.backups import Backups, read_backup
from carrel.storage.base import StorageError
from carrel.storage.rollback import back_up, roll_back
from carrel.storage.sql.store import SqlStore, Tuning
from carrel.storage.sql.tables import REVISION, metadata
from tests.storage.test_migrations import NEXT, next_schema, store_in

URL = "sqlite:///c.sqlite"


class SetClock(SystemClock):
    """Says what time it is told."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.moment = now

    def now(self) -> float:
        return self.moment


async def add(store: SqlStore, name: str) -> None:
    async with store.write() as tx:
        user = await tx.users.create(name, admin=name == "ada", now=1.0)
        server = await tx.servers.create(user.id, "", now=2.0)
        await tx.oauth.clients("server")
        assert server.id


async def names(store: SqlStore) -> set[str]:
    async with store.read() as tx:
        return {str(row["name"]) for row in await tx.bulk.all("users")}


async def there_and_back(url: str, tmp_path: Path) -> None:
    """Copy beside a writer, go on, and roll back to the copy."""
    store = SqlStore(url, directory=tmp_path, clock=SystemClock())
    await store.open()
    await add(store, "ada")
    copy = back_up(url, tmp_path, SetClock())
    assert copy.name.endswith(f".backup-20270115T080000Z-{REVISION}")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert read_backup(copy) == REVISION
    await add(store, "bea")
    await store.close()
    aside, revision = roll_back(url, tmp_path, SystemClock(), copy)
    assert revision == REVISION
    await store.open()
    assert await names(store) == {"ada"}
    async with store.read() as tx:
        ada = await tx.users.get("ada")
        assert ada is not None
        assert ada.admin is True
    # Numbers go on where they were: an id that was given out is not given again to somebody else's row.
    await add(store, "cy")
    await store.close()
    roll_back(url, tmp_path, SystemClock(), aside)
    await store.open()
    assert await names(store) == {"ada", "bea"}
    await store.close()
    # All of one second: none takes the place of another.
    for _ in range(2):
        last, _ = roll_back(url, tmp_path, SystemClock(), aside)
        assert last != aside


async def test_there_and_back(tmp_path: Path) -> None:
    await there_and_back(URL, tmp_path)


@pytest.mark.real
async def test_there_and_back_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    await there_and_back(postgres_url, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE of_somebody_else (id INTEGER)"))
    roll_back(postgres_url, tmp_path, SystemClock(), next(tmp_path.glob("carrel-*.backup-*")))
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM of_somebody_else")).scalar_one() == 0


async def test_it_is_refused_while_a_hub_lives(tmp_path: Path) -> None:
    store = SqlStore(URL, directory=tmp_path, clock=SystemClock())
    await store.open()
    copy = back_up(URL, tmp_path, SystemClock())
    with pytest.raises(StorageError, match=f"Another hub .pid {os.getpid()}. uses this database"):
        roll_back(URL, tmp_path, SystemClock(), copy)
    await store.close()


@pytest.mark.real
async def test_it_is_refused_while_a_hub_lives_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    store = SqlStore(postgres_url, directory=tmp_path, clock=SystemClock())
    await store.open()
    now = SystemClock().now()
    async with store.write() as tx:
        await tx.hubs.put(Hub("hub-one", "node", "http://x", "1", now, now + 60))
    copy = back_up(postgres_url, tmp_path, SystemClock())
    with pytest.raises(StorageError, match=r"hub-one.*stop them first"):
        roll_back(postgres_url, tmp_path, SystemClock(), copy)
    await store.close()


@pytest.mark.real
async def test_a_server_is_copied_before_an_upgrade_and_goes_back_to_the_old_schema(
    postgres_url: str, tmp_path: Path
) -> None:
    old = store_in(tmp_path, url=postgres_url)
    await old.open()
    await add(old, "ada")
    await old.close()
    new = store_in(tmp_path, next_schema(tmp_path, NEXT.replace('"always"', '"auto"')), postgres_url)
    await new.open()
    await new.close()
    [copy] = tmp_path.glob("carrel-*.before-upgrade-*")
    roll_back(postgres_url, tmp_path, SystemClock(), copy)
    await old.open()
    assert await names(old) == {"ada"}
    await old.close()


async def test_two_made_in_one_second_are_two(tmp_path: Path) -> None:
    store = SqlStore(URL, directory=tmp_path, clock=SystemClock())
    await store.open()
    await store.close()
    clock = SetClock()
    made = {back_up(URL, tmp_path, clock) for _ in range(3)}
    assert len(made) == 3
    assert {each.path for each in Backups(tmp_path / "c.sqlite", clock).all()} == made


async def test_only_so_many_are_kept_of_those_that_nobody_asked_for(tmp_path: Path) -> None:
    store = SqlStore(URL, directory=tmp_path, clock=SystemClock())
    await store.open()
    await store.close()
    clock = SetClock()
    backups = Backups(tmp_path / "c.sqlite", clock)
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as connection:
        for _ in range(7):
            clock.moment += 60
            backups.copy_sqlite(connection, "before-upgrade", REVISION)
            backups.copy_sqlite(connection, "backup", REVISION)
            backups.forget_old("before-upgrade")
            backups.forget_old("backup")
    found = backups.all()
    assert sum(each.occasion == "backup" for each in found) == 7
    kept = [each.made for each in found if each.occasion == "before-upgrade"]
    assert kept == [clock.moment - 60 * number for number in range(5)]


async def test_without_room_nothing_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = store_in(tmp_path)
    await old.open()
    await old.close()
    usage = type("usage", (), {"free": 1024})
    monkeypatch.setattr("carrel.storage.backups.shutil.disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match=r"0 are free\. Nothing was upgraded: make room"):
        await store_in(tmp_path, next_schema(tmp_path)).open()
    await old.open()
    await old.close()
    assert not list(tmp_path.glob("c.sqlite.before-*"))
    unguarded = SqlStore(
        URL,
        directory=tmp_path,
        clock=SystemClock(),
        schema=next_schema(tmp_path / "again"),
        tuning=Tuning(back_up=False),
    )
    await unguarded.open()
    await unguarded.close()


def test_what_is_no_copy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no file"):
        read_backup(tmp_path / "none")
    text_file = tmp_path / "text"
    text_file.write_text("hello " * 1000)
    with pytest.raises(StorageError, match="is no SQLite file"):
        read_backup(text_file)
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE spawners (id INTEGER)")
    with pytest.raises(StorageError, match="is no copy of a Carrel database"):
        read_backup(tmp_path / "other")


async def test_a_damaged_copy_is_not_put_back(tmp_path: Path) -> None:
    store = SqlStore(URL, directory=tmp_path, clock=SystemClock())
    await store.open()
    await add(store, "ada")
    copy = back_up(URL, tmp_path, SystemClock())
    await store.close()
    content = bytearray(copy.read_bytes())
    content[4096 : 4096 * 6] = b"\xff" * (4096 * 5)
    copy.write_bytes(content)
    with pytest.raises(StorageError, match=r"damaged|no SQLite file"):
        roll_back(URL, tmp_path, SystemClock(), copy)
    await store.open()
    assert await names(store) == {"ada"}
    await store.close()


async def test_every_table_of_ours_is_in_a_copy(tmp_path: Path) -> None:
    store = SqlStore(URL, directory=tmp_path, clock=SystemClock())
    await store.open()
    await store.close()
    with closing(sqlite3.connect(back_up(URL, tmp_path, SystemClock()))) as copy:
        found = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert found >= set(metadata.tables)
