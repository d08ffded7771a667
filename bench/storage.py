"""One compare-and-set transaction, through everything that might run it.

    python -m bench.storage [--count 3000] [--directory DIR] [--postgres URL]

Each line runs the same four steps on the same row (begin, select a server, update it where its version is
still the one that was read, commit) and prints microseconds. The stores also turn the row into a record
and back; the others move bare columns.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import create_engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import create_async_engine

from carrel.lib.clock import SystemClock
from carrel.storage.sql.engine import Statements
from carrel.storage.sql.servers import _GET_BY_ID, _SAVE, _values
from carrel.storage.sql.store import SqlStore

WARM_UP = 200


@dataclass(frozen=True)
class Figures:
    """Microseconds of one transaction."""

    name: str
    p50: float
    p99: float


def summarize(name: str, seconds: list[float]) -> Figures:
    """Return the percentiles of what came after the warm-up."""
    ranked = sorted(seconds[WARM_UP:])
    return Figures(name, ranked[len(ranked) // 2] * 1e6, ranked[len(ranked) * 99 // 100] * 1e6)


def time_sync(name: str, count: int, step: Callable[[int], None]) -> Figures:
    """Time `step`, which is given the version that it will find."""
    seconds = []
    for version in range(WARM_UP + count):
        start = time.perf_counter()
        step(version)
        seconds.append(time.perf_counter() - start)
    return summarize(name, seconds)


async def time_async(name: str, count: int, step: Callable[[int], Awaitable[None]]) -> Figures:
    """Time `step`, which is given the version that it will find."""
    seconds = []
    for version in range(WARM_UP + count):
        start = time.perf_counter()
        await step(version)
        seconds.append(time.perf_counter() - start)
    return summarize(name, seconds)


async def prepare(url: str, directory: Path) -> tuple[SqlStore, int]:
    """Return an open store with one server in it, and that server's id."""
    store = SqlStore(url, directory=directory, clock=SystemClock())
    await store.open()
    async with store.write() as tx:
        user = await tx.users.create(f"bench{time.time_ns()}", admin=False, now=0.0)
        server = await tx.servers.create(user.id, "", now=0.0)
    return store, server.id


async def bench_store(name: str, url: str, directory: Path, count: int, durable: bool) -> Figures:
    """Time Carrel's own store."""
    store, server_id = await prepare(url, directory)

    async def step(version: int) -> None:
        async with store.write(durable=durable) as tx:
            server = await tx.servers.get_by_id(server_id)
            assert server is not None
            saved = await tx.servers.save(replace(server, display_name="bench"))
            assert saved is not None
            assert saved.version == version + 1

    try:
        return await time_async(name, count, step)
    finally:
        await store.close()


@contextmanager
def fresh_file(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make a database with one server; give its file and the values of an update."""
    with tempfile.TemporaryDirectory(dir=directory) as place:

        async def make() -> dict[str, Any]:
            store, server_id = await prepare("sqlite:///bench.sqlite", Path(place))
            async with store.read() as tx:
                server = await tx.servers.get_by_id(server_id)
            assert server is not None
            await store.close()
            return {**_values(server), "display_name": "bench", "new_fence": None, "key": server_id}

        yield f"{place}/bench.sqlite", uvloop.run(make())


def bench_sqlite3(directory: Path, count: int) -> Figures:
    """Time the driver alone."""
    statements = Statements(SQLiteDialect_pysqlite(paramstyle="named"))
    select, update = statements.text(_GET_BY_ID), statements.text(_SAVE)
    with (
        fresh_file(directory) as (path, values),
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA synchronous=NORMAL")

        def step(version: int) -> None:
            connection.execute("BEGIN IMMEDIATE")
            (row,) = connection.execute(select, {"id": values["key"]}).fetchall()
            assert row[7] == version
            change = {**values, "seen_version": version, "next_version": version + 1}
            assert connection.execute(update, change).rowcount == 1
            connection.execute("COMMIT")

        return time_sync("sqlite3 alone", count, step)


def bench_core(directory: Path, count: int) -> Figures:
    """Time SQLAlchemy Core on the same driver."""
    with fresh_file(directory) as (path, values):
        engine = create_engine(f"sqlite:///{path}")
        event.listen(engine, "connect", tune)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))

        def step(version: int) -> None:
            with engine.begin() as connection:
                (row,) = connection.execute(_GET_BY_ID, {"id": values["key"]}).fetchall()
                assert row[7] == version
                change = {**values, "seen_version": version, "next_version": version + 1}
                assert connection.execute(_SAVE, change).rowcount == 1

        try:
            return time_sync("SQLAlchemy Core", count, step)
        finally:
            engine.dispose()


async def bench_aiosqlite(path: str, values: dict[str, Any], count: int) -> Figures:
    """Time SQLAlchemy's asynchronous engine with aiosqlite's thread."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    event.listen(engine.sync_engine, "connect", tune)
    event.listen(
        engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
    )

    async def step(version: int) -> None:
        async with engine.begin() as connection:
            (row,) = (await connection.execute(_GET_BY_ID, {"id": values["key"]})).fetchall()
            assert row[7] == version
            change = {**values, "seen_version": version, "next_version": version + 1}
            assert (await connection.execute(_SAVE, change)).rowcount == 1

    try:
        return await time_async("SQLAlchemy async + aiosqlite", count, step)
    finally:
        await engine.dispose()


def tune(connection: Any, _record: object) -> None:
    """Give SQLAlchemy's connections the settings of ours."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def has_aiosqlite() -> bool:
    """Tell whether the comparison with aiosqlite can run."""
    return find_spec("aiosqlite") is not None


def run(directory: Path, count: int, postgres: str | None) -> Iterator[Figures]:
    """Yield one line after the other."""
    for name, durable in (("Carrel's store on SQLite", False), ("Carrel's store on SQLite, durable", True)):
        with tempfile.TemporaryDirectory(dir=directory) as place:
            yield uvloop.run(bench_store(name, "sqlite:///bench.sqlite", Path(place), count, durable))
    if postgres:
        yield uvloop.run(bench_store("Carrel's store on PostgreSQL", postgres, directory, count, True))
    yield bench_sqlite3(directory, count)
    yield bench_core(directory, count)
    if has_aiosqlite():
        with fresh_file(directory) as (path, values):
            yield uvloop.run(bench_aiosqlite(path, values, count))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=3000, help="transactions a line")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()), help="on which disk")
    parser.add_argument("--postgres", help="URL of an empty database; it keeps the bench's tables")
    options = parser.parse_args()
    print(f"{'one compare-and-set transaction, µs':38} {'p50':>8} {'p99':>8}")
    for figures in run(options.directory, options.count, options.postgres):
        print(f"{figures.name:38} {figures.p50:8.0f} {figures.p99:8.0f}", flush=True)


if __name__ == "__main__":
    main()
