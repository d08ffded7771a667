"""Starts wait in line in the database, fairly; failures of one server are its own; nothing waits for ever."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from carrel.domain.servers import Actual, Server, Wanted
from carrel.domain.transitions import ask_start
from carrel.storage.sql.servers import SqlServers
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub


async def _ask_many(hub: TrialHub, count: int, *, admin: bool = False) -> list[str]:
    """Ask for the servers of so many new users, a millisecond apart."""
    names = [f"user{number:05}" for number in range(count)]
    async with hub.ctx.store.write() as tx:
        for number, name in enumerate(names):
            user = await tx.users.create(name, admin=admin, now=hub.clock.now())
            row = await tx.servers.create(user.id, "", now=hub.clock.now())
            await tx.servers.save(ask_start(row, hub.clock.now() + number / 1000))
    return names


async def _pending(hub: TrialHub) -> int:
    async with hub.ctx.store.read() as tx:
        return sum(server.pending is not None for server in await tx.servers.unsettled())


async def test_who_asked_first_starts_first() -> None:
    async with open_test_hub(concurrent_spawn_limit=3) as hub:
        hub.world.script.start_delay = 10
        names = await _ask_many(hub, 12)
        shuffled = random.Random(1).sample(names, len(names))
        for place, name in enumerate(shuffled):
            row = await hub.server(name)
            async with hub.ctx.store.write() as tx:
                await tx.servers.save(replace(row, wished=hub.clock.now() + place))
        for _ in range(5):
            await hub.clock.advance(10.5)
        started = [server_id for call, (server_id, _) in hub.world.calls if call == "start"]
        assert started == [(await hub.server(name)).id for name in shuffled]


async def test_no_limit_means_all_at_once() -> None:
    async with open_test_hub(concurrent_spawn_limit=0) as hub:
        hub.world.script.start_delay = 10
        await _ask_many(hub, 350)
        await hub.clock.advance(3)
        assert len(hub.world.servers) == 350


async def test_a_start_that_hangs_keeps_one_place_and_for_a_while() -> None:
    async with open_test_hub(concurrent_spawn_limit=2) as hub:
        names = await _ask_many(hub, 20)
        hub.world.scripts[names[0]] = Script(start_delay=1e6, stubborn=True)
        await hub.clock.advance(5)
        ready = [name for name in names if (await hub.server(name)).ready]
        assert ready == names[1:]
        await hub.clock.advance(100)
        assert (await hub.server(names[0])).actual is Actual.FAILED


async def test_a_start_whose_turn_does_not_come_fails_in_time() -> None:
    async with open_test_hub(concurrent_spawn_limit=1, spawn_queue_timeout=30) as hub:
        hub.world.script.start_delay = 50
        names = await _ask_many(hub, 300)
        await hub.clock.advance(40)
        servers = [await hub.server(name) for name in names]
        assert [server.pending for server in servers] == ["spawn"] + [None] * 299
        failure = servers[7].failure
        assert failure is not None
        assert failure.code == "no-turn"
        assert "did not get its turn within 30 seconds" in failure.message


async def test_what_cannot_even_begin_does_not_hold_up_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intents of those at the head cannot be written: the others behind them start all the same."""
    async with open_test_hub(concurrent_spawn_limit=10) as hub:
        await _start_behind_broken_ones(hub, monkeypatch)


async def _start_behind_broken_ones(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    names = await _ask_many(hub, 60)
    broken = {(await hub.server(name)).id for name in names[:25]}
    save = SqlServers.save

    async def fail(self: SqlServers, server: Server) -> Server | None:
        if server.id in broken and server.actual is Actual.STARTING:
            raise OSError("disk full")
        return await save(self, server)

    monkeypatch.setattr(SqlServers, "save", fail)
    await hub.clock.advance(20)
    assert sum([(await hub.server(name)).ready for name in names]) == 35
    monkeypatch.undo()
    await hub.clock.advance(60)
    assert sum([(await hub.server(name)).ready for name in names]) == 60


async def test_a_sweep_reads_a_page_at_a_time_and_reaches_all(hub: TrialHub) -> None:
    """Rows that no event told of, more than a page of them, behind ten thousand that wait."""
    hub.world.script.start_delay = 1e5
    await _ask_many(hub, 3000)
    async with hub.ctx.store.write() as tx:
        for number in range(1200):
            user = await tx.users.create(f"late{number}", admin=False, now=0.0)
            row = await tx.servers.create(user.id, "", now=0.0)
            await tx.servers.save(replace(row, actual=Actual.STOPPING, wanted=Wanted.STOPPED))
    await hub.clock.advance(12)
    async with hub.ctx.store.read() as tx:
        stopping = [row for row in await tx.servers.unsettled() if row.actual is Actual.STOPPING]
    assert stopping == []


def _chaos(chance: random.Random) -> Script:
    """Return a driver that may do anything wrong, for a while."""
    return Script(
        start_delay=chance.choice([0, 0, 0.5, 3, 20, 70, 90, 200, 1e6]),
        start_error=chance.choice([None, None, None, RuntimeError("no"), SystemExit(1)]),  # type: ignore[arg-type]
        leave_on_error=chance.random() < 0.3,
        exit_status=chance.choice([None, None, None, 1]),
        stop_delay=chance.choice([0, 0, 1, 90]),
        poll_error=chance.choice([None, None, OSError("?")]),
        stubborn=chance.random() < 0.3,
        answer=chance.choice([None, None, None, "nonsense", 7]),
    )


async def _hold_deadlines(hub: TrialHub) -> int:
    """Hold that nothing is pending five seconds past its deadline; return how many are pending."""
    now, queue = hub.clock.now(), hub.ctx.settings.spawn_queue_timeout
    async with hub.ctx.store.read() as tx:
        rows = [row for row in await tx.servers.unsettled() if row.pending is not None]
    for row in rows:
        deadline = row.wished + queue if row.waiting else row.deadline
        assert deadline is not None, row
        assert now <= deadline + 5, row
    return len(rows)


@pytest.mark.parametrize(
    ("count", "at_once"),
    # The large one starts no process either, but takes a minute.
    [(200, 30), pytest.param(10_000, 400, marks=[pytest.mark.real, pytest.mark.timeout(600)])],
)
async def test_of_chaotic_starts_none_is_pending_past_its_deadline(count: int, at_once: int) -> None:
    spawner = {"start_timeout": 60, "http_timeout": 20}
    async with open_test_hub(
        plugins={"FakeSpawner": spawner}, concurrent_spawn_limit=at_once, spawn_queue_timeout=240
    ) as hub:
        chance = random.Random(7)
        # Admins' starts go on whatever becomes of the others'.
        names = await _ask_many(hub, count, admin=True)
        hub.world.scripts = {name: _chaos(chance) for name in names}
        hub.probe.silent = set(chance.sample(names, count // 20))
        for _ in range(200):
            await hub.clock.advance(5)
            if not await _hold_deadlines(hub):
                break
        assert await _pending(hub) == 0
        await hub.clock.advance(300)
        async with hub.ctx.store.read() as tx:
            ready = [row for row in await tx.servers.routed() if row.ready]
        assert len(ready) > count // 20
        assert hub.world.alive() <= {(row.id, row.generation) for row in ready}
        unseen = [row for row in ready if (row.id, row.generation) not in hub.world.alive()]
        assert all(hub.world.scripts[row.user_name].poll_error for row in unseen)
