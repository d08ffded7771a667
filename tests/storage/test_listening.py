"""What one hub announces is heard by the others, and whether anything was missed is known."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from carrel.domain.events import Event, RightsChanged, ServerProgress
from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore
from tests.rigs.needs import need
from tests.rigs.postgres import PostgresServer
from tests.storage.test_postgres_faults import OTHERS, run_sql

pytestmark = pytest.mark.real

#: The last that a listening connection asked for is its own notification.
LISTENS = "query LIKE '%pg_notify(%'"


class Diary:
    """Ears that write down what they hear."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.states: list[str] = []
        self.proof = 0.0
        self._news = asyncio.Event()

    def listening(self) -> None:
        self.states.append("listening")
        self._news.set()

    def deliver(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def proved(self, moment: float) -> None:
        assert moment > self.proof
        self.proof = moment
        self._news.set()

    def lost(self) -> None:
        self.states.append("lost")
        self._news.set()

    async def until(self, look: Callable[[], bool]) -> None:
        """Return when something that was heard makes `look` true."""
        async with asyncio.timeout(20):
            while not look():
                self._news.clear()
                await self._news.wait()


class Replica:
    """One hub's store, listening."""

    def __init__(self, url: str, directory: Path) -> None:
        self.published: list[Event] = []
        self.store = SqlStore(url, directory=directory, clock=SystemClock(), publish=self.published.append)
        self.diary = Diary()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.store.open()
        self._task = asyncio.create_task(self.store.listen(self.diary))
        await self.diary.until(lambda: self.diary.proof > 0)

    async def close(self) -> None:
        assert self._task is not None
        assert not self._task.done()
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self.store.close()


async def announce(replica: Replica, event: Event) -> None:
    async with replica.store.write() as tx:
        tx.announce(event)


@pytest.fixture
async def hubs(postgres_url: str, tmp_path: Path) -> AsyncIterator[list[Replica]]:
    """Two hubs of a database."""
    replicas = [Replica(postgres_url, tmp_path) for _ in range(2)]
    for replica in replicas:
        await replica.open()
    yield replicas
    for replica in replicas:
        await replica.close()


async def test_the_other_hub_hears_what_was_committed(hubs: list[Replica]) -> None:
    one, other = hubs
    await announce(one, RightsChanged(1))
    await announce(one, RightsChanged(2))
    await other.diary.until(lambda: other.diary.events == [RightsChanged(1), RightsChanged(2)])
    assert one.published == [RightsChanged(1), RightsChanged(2)]
    # Its own came back to it before the other's did, at the latest, and was not told twice.
    await announce(other, RightsChanged(3))
    await one.diary.until(lambda: one.diary.events == [RightsChanged(3)])
    assert other.diary.events == [RightsChanged(1), RightsChanged(2)]


async def test_what_belongs_to_no_transaction_is_told_to_the_others_alone(hubs: list[Replica]) -> None:
    one, other = hubs
    step = ServerProgress(1, 1, 20, "Starting")
    await one.store.tell([ServerProgress(1, 1, 10, "x" * 9000), step])
    await other.diary.until(lambda: other.diary.events == [step])
    assert one.published == []


async def test_a_proof_comes_after_all_that_was_committed_before_it(hubs: list[Replica]) -> None:
    one, other = hubs
    clock = SystemClock()
    for number in range(20):
        await announce(one, RightsChanged(number))
        committed = clock.monotonic()
        await other.diary.until(lambda: other.diary.proof > committed)  # noqa: B023
        assert other.diary.events[-1] == RightsChanged(number)


async def test_a_lost_connection_is_told_at_once_and_replaced(hubs: list[Replica], postgres_url: str) -> None:
    _, other = hubs
    run_sql(postgres_url, f"SELECT pg_terminate_backend(pid) {OTHERS}")
    await other.diary.until(lambda: other.diary.states == ["listening", "lost", "listening"])
    await announce(hubs[0], RightsChanged(1))
    await other.diary.until(lambda: other.diary.events == [RightsChanged(1)])


async def freeze(pids: list[int], url: str) -> None:
    """Pause processes of the server, though not while one holds what every notification needs."""
    query = "SELECT pid FROM pg_locks WHERE locktype = 'object' AND pid != pg_backend_pid()"
    async with asyncio.timeout(20):
        while True:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            if not {pid for (pid,) in run_sql(url, query)} & set(pids):
                return
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.01)


async def test_a_silent_connection_is_replaced(hubs: list[Replica], postgres_url: str) -> None:
    _, other = hubs
    need(os.geteuid() == 0, "root, who may pause a process of PostgreSQL,")
    frozen = [int(str(pid)) for (pid,) in run_sql(postgres_url, f"SELECT pid {OTHERS} AND {LISTENS}")]
    assert len(frozen) == 2
    try:
        await freeze(frozen, postgres_url)
        await other.diary.until(lambda: other.diary.states == ["listening", "lost", "listening"])
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    await announce(hubs[0], RightsChanged(1))
    await other.diary.until(lambda: other.diary.events == [RightsChanged(1)])


async def test_a_server_that_was_restarted_is_listened_to_again(
    hubs: list[Replica], postgres_server: PostgresServer
) -> None:
    one, other = hubs
    await asyncio.to_thread(postgres_server.halt)
    await other.diary.until(lambda: other.diary.states == ["listening", "lost"])
    await asyncio.to_thread(postgres_server.resume)
    await other.diary.until(lambda: other.diary.states[-1] == "listening")
    await announce(one, RightsChanged(1))
    await other.diary.until(lambda: other.diary.events == [RightsChanged(1)])


async def test_what_cannot_be_read_may_have_mattered(hubs: list[Replica], postgres_url: str) -> None:
    _, other = hubs
    run_sql(postgres_url, "SELECT pg_notify('carrel_events', 'hello')")
    await other.diary.until(lambda: other.diary.states == ["listening", "listening"])


async def test_where_there_can_be_no_other_hub_nothing_is_listened_to(tmp_path: Path) -> None:
    store = SqlStore("sqlite://", directory=tmp_path, clock=SystemClock())
    await store.open()
    await store.listen(Diary())
    await store.tell([RightsChanged(1)])
    await store.close()
