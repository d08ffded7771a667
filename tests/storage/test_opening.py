"""A store opens what is its own, says in one sentence why it does not, and leaves the rest alone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from carrel.lib.clock import SystemClock
from carrel.storage.base import SchemaMismatch, StorageError
from carrel.storage.sql.store import SqlStore
from carrel.storage.sql.tables import REVISION

FILE = "carrel.sqlite"


def store_in(directory: Path, url: str = f"sqlite:///{FILE}") -> SqlStore:
    return SqlStore(url, directory=directory, clock=SystemClock())


def run_sql(path: Path, *statements: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path.read_bytes()


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


async def test_a_second_hub_is_refused_and_a_tool_is_not(tmp_path: Path) -> None:
    hub, second, tool = store_in(tmp_path), store_in(tmp_path), store_in(tmp_path)
    await hub.open()
    with pytest.raises(StorageError, match=rf"Another hub \(pid {os.getpid()}\) uses this database"):
        await second.open()
    await tool.open(claim=False)
    async with tool.write() as tx:
        await tx.facts.put("by", "tool")
    async with hub.read() as tx:
        assert await tx.facts.get("by") == "tool"
    await tool.close()
    await hub.close()
    await hub.close()
    await second.open()
    await second.close()


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    store = store_in(tmp_path, f"sqlite:///{tmp_path}/absolute.sqlite")
    await store.open()
    async with store.write() as tx:
        await tx.facts.put("key", "value")
    assert modes(tmp_path) == {f"absolute.sqlite{tail}": 0o600 for tail in ("", "-shm", "-wal", ".lock")}
    await store.close()


async def test_jupyterhubs_database_is_left_untouched(tmp_path: Path) -> None:
    before = run_sql(
        tmp_path / FILE,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(255))",
        "CREATE TABLE spawners (id INTEGER PRIMARY KEY)",
        "CREATE TABLE api_tokens (id INTEGER PRIMARY KEY, hashed VARCHAR(255))",
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('4621fec11365')",
    )
    with pytest.raises(SchemaMismatch, match="JupyterHub database"):
        await store_in(tmp_path).open()
    assert (tmp_path / FILE).read_bytes() == before


async def test_another_programs_database_is_left_untouched(tmp_path: Path) -> None:
    before = run_sql(tmp_path / FILE, "CREATE TABLE recipes (id INTEGER PRIMARY KEY)")
    with pytest.raises(SchemaMismatch, match="another program"):
        await store_in(tmp_path).open()
    assert (tmp_path / FILE).read_bytes() == before


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.open()
    await store.close()
    run_sql(tmp_path / FILE, "UPDATE alembic_version SET version_num = '9999'", "DELETE FROM facts")
    with pytest.raises(SchemaMismatch, match=rf"newer Carrel .*9999.*{REVISION}"):
        await store.open()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///missing/carrel.sqlite", "cannot be written: No such file or directory"),
        ("sqlite:///folder", "folder is not a file"),
        ("sqlite:///text.txt", "The file is not an SQLite database"),
        ("mysql://user:hunter2@host/db", "mysql is not supported: use sqlite:///FILE or postgresql://"),
        ("hunter2", "cannot be read: write sqlite:///FILE or postgresql://"),
        ("postgresql://u:hunter2@127.0.0.1:1/db", "PostgreSQL at 127.0.0.1:1/db does not let us in"),
    ],
)
async def test_what_cannot_be_used_is_named(tmp_path: Path, url: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("Dear diary, this is not a database at all.\n" * 99)
    with pytest.raises(StorageError, match=message) as caught:
        await store_in(tmp_path, url).open()
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with pytest.raises(StorageError, match="not open"):
        async with store.read():
            pass
    with pytest.raises(StorageError, match="not open"):
        async with store.write():
            pass


def test_sqlite_is_for_one_hub(tmp_path: Path) -> None:
    assert store_in(tmp_path).single_hub
    assert not store_in(tmp_path, "postgresql+psycopg2://host/db").single_hub


def test_nothing_of_alembic_is_loaded_when_there_is_nothing_to_upgrade(tmp_path: Path) -> None:
    asyncio.run(store_in(tmp_path).open(claim=False))
    program = (
        "import asyncio, sys; from pathlib import Path; from carrel.lib.clock import SystemClock\n"
        "from carrel.storage.sql.store import SqlStore\n"
        f"store = SqlStore('sqlite:///{FILE}', directory=Path(sys.argv[1]), clock=SystemClock())\n"
        "asyncio.run(store.open())\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('alembic', 'psycopg')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
