"""What a deployer may have of a database: its statements in the log, few connections, an empty one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore, Tuning
from carrel.testing.conformance.store_records import add_user

STATEMENTS = "carrel.storage.statements"
SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    logger = logging.getLogger(STATEMENTS)
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.mark.parametrize("loud", [False, True])
async def test_statements_are_logged_without_their_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, loud: bool
) -> None:
    store = SqlStore(
        "sqlite:///hub.sqlite",
        directory=tmp_path,
        clock=SystemClock(),
        tuning=Tuning(log_statements=loud),
    )
    await store.open()
    await add_user(store, SECRET)
    await store.close()
    lines = [record.getMessage() for record in caplog.records if record.name == STATEMENTS]
    assert any(line.startswith("INSERT INTO users") for line in lines) is loud
    assert SECRET not in caplog.text


async def test_all_but_what_names_the_installation_can_be_deleted(tmp_path: Path) -> None:
    store = SqlStore("sqlite:///hub.sqlite", directory=tmp_path, clock=SystemClock())
    await store.open()
    user = await add_user(store, "ada")
    async with store.write() as tx:
        await tx.facts.add("hub_id", "mine")
        await tx.servers.create(user.id, "", now=0.0)
        await tx.groups.create("class")
    await store.clear()
    async with store.read() as tx:
        assert await tx.users.get("ada") is None
        assert await tx.groups.get("class") is None
        assert await tx.facts.get("hub_id") == "mine"
    await store.close()
    await store.open()
    await store.close()


@pytest.mark.real
async def test_a_server_is_asked_over_as_many_connections_as_there_may_be(postgres_url: str) -> None:
    clock = SystemClock()
    store = SqlStore(postgres_url, directory=Path(), clock=clock, tuning=Tuning(connections=1))
    await store.open()
    inside, waiting = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with store.read() as tx:
            await tx.users.get("ada")
            inside.set()
            await waiting.wait()

    async def second() -> None:
        async with store.read() as tx:
            await tx.users.get("ada")

    one = asyncio.create_task(first())
    await inside.wait()
    two = asyncio.create_task(second())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not two.done()
    waiting.set()
    await asyncio.gather(one, two)
    await store.close()
