"""A start that waits in the queue of its back end: for days, over restarts, in nobody's way, and told of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from carrel.core.drivers import driver_of
from carrel.core.servers import watch_start
from carrel.core.standing import Standing, standing
from carrel.domain.errors import Conflict
from carrel.domain.servers import Actual
from carrel.lifecycle.patience import Patience
from carrel.lifecycle.queue import QueueWatch
from carrel.spawners.reports import Waiting
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub

#: Many times what a start may take, in seconds.
LONG = 1000.0
TIMES = {"start_timeout": 60, "http_timeout": 30}


@pytest.fixture
async def patient() -> AsyncIterator[TrialHub]:
    """A hub whose servers may wait for as long as it takes."""
    async with open_test_hub(
        plugins={"Spawner": TIMES | {"queue_timeout": 0}}, concurrent_spawn_limit=1
    ) as hub:
        for name in ("ada", "bea"):
            await hub.make_user(name)
        yield hub


async def test_it_may_wait_for_days_and_its_own_time_begins_when_its_turn_comes(patient: TrialHub) -> None:
    patient.world.script = Script(queued=Waiting(3), start_delay=50)
    await patient.ask_start()
    await patient.clock.advance(LONG)
    assert (await patient.server()).actual is Actual.STARTING
    patient.world.script.queued = None
    await patient.clock.advance(45)
    server = await patient.server()
    # Its row has the deadline of a start that began when it left the queue.
    assert server.deadline is not None
    assert 0 < server.deadline - patient.clock.now() < 110
    await patient.clock.advance(10)
    assert (await patient.server()).ready


async def test_one_that_hangs_after_its_turn_is_given_up(patient: TrialHub) -> None:
    patient.world.script = Script(queued=Waiting(3), start_delay=1e6)
    await patient.ask_start()
    await patient.clock.advance(1000)
    patient.world.script.queued = None
    await patient.clock.advance(70)
    failure = (await patient.server()).failure
    assert failure is not None
    assert (failure.code, "60 seconds" in failure.message) == ("timeout", True)


async def test_an_answer_that_makes_no_sense_does_not_end_the_watch_over_the_queue(
    patient: TrialHub, caplog: pytest.LogCaptureFixture
) -> None:
    nonsense: Any = "soon"
    patient.world.script = Script(queued=nonsense, start_delay=1e6)
    await patient.ask_start()
    await patient.clock.advance(1000)
    assert "cannot be looked at" in caplog.text
    patient.world.script.queued = None
    await patient.clock.advance(70)
    failure = (await patient.server()).failure
    assert failure is not None
    assert (failure.code, "60 seconds" in failure.message) == ("timeout", True)


async def test_a_deadline_that_could_not_be_written_is_written_with_the_next_look(patient: TrialHub) -> None:
    patient.world.script = Script(queued=Waiting(3))
    row = await patient.ask_start()
    driver = await driver_of(patient.ctx, row)
    patience, saved = Patience(driver, patient.clock, row), list[float]()

    async def save() -> None:
        saved.append(patience.deadline)
        if len(saved) == 1:
            raise Conflict("The server is being changed by others; try again.")

    watch = QueueWatch(patient.ctx, row, driver, patience, save, lambda _: None)
    with pytest.raises(Conflict):
        await watch.look()
    for _ in range(2):
        await watch.look()
    assert saved == [patience.deadline] * 2


async def test_a_wait_may_have_a_limit() -> None:
    async with open_test_hub(plugins={"Spawner": TIMES | {"queue_timeout": 300}}) as hub:
        await hub.make_user("ada")
        hub.world.script = Script(queued=Waiting(1))
        await hub.ask_start()
        await hub.clock.advance(290)
        assert (await hub.server()).actual is Actual.STARTING
        await hub.clock.advance(20)
        failure = (await hub.server()).failure
        assert failure is not None
        assert (failure.code, "300 seconds" in failure.message) == ("queue-timeout", True)
        assert hub.world.alive() == set()


async def test_without_the_setting_waiting_is_a_part_of_starting() -> None:
    async with open_test_hub(plugins={"Spawner": TIMES}) as hub:
        await hub.make_user("ada")
        hub.world.script = Script(queued=Waiting(1))
        await hub.ask_start()
        await hub.clock.advance(62)
        failure = (await hub.server()).failure
        assert failure is not None
        assert failure.code == "timeout"


async def test_it_keeps_nobody_else_from_starting(patient: TrialHub) -> None:
    patient.world.scripts["ada"] = Script(queued=Waiting(1))
    await patient.ask_start("ada")
    await patient.clock.advance(2)
    assert (await patient.start("bea")).ready


@pytest.mark.parametrize("kill", [True, False])
async def test_a_hub_that_ends_changes_nothing(patient: TrialHub, kill: bool) -> None:
    patient.world.script = Script(queued=Waiting(3), resumes=True, start_delay=5)
    await patient.ask_start()
    await patient.clock.advance(100)
    await patient.restart(kill=kill)
    await patient.clock.advance(LONG)
    server = await patient.server()
    assert (server.actual, server.generation) == (Actual.STARTING, 1)
    assert await standing(patient.ctx, server) == Standing(3)
    patient.world.script.queued = None
    await patient.clock.advance(10)
    assert (await patient.server()).ready
    assert [call for call, _ in patient.world.calls if call in ("start", "stop")] == ["start"]


async def test_it_waits_on_after_the_hub_was_away_for_longer_than_a_start_may_take(patient: TrialHub) -> None:
    patient.world.script = Script(queued=Waiting(3), resumes=True)
    await patient.ask_start()
    await patient.clock.advance(5)
    await patient.shut_down(kill=True)
    await patient.clock.advance(LONG)
    patient.world.script.queued = None
    await patient.boot()
    await patient.clock.advance(5)
    assert (await patient.server()).ready


async def test_a_start_that_is_resumed_keeps_the_deadline_of_its_row() -> None:
    async with open_test_hub(plugins={"Spawner": TIMES | {"queue_timeout": 300}}) as hub:
        await hub.make_user("ada")
        hub.world.script = Script(queued=Waiting(3), resumes=True)
        await hub.ask_start()
        await hub.clock.advance(5)
        deadline = (await hub.server()).deadline
        for _ in range(3):
            await hub.restart(kill=True)
            await hub.clock.advance(90)
        assert (await hub.server()).deadline == deadline
        await hub.clock.advance(40)
        failure = (await hub.server()).failure
        assert failure is not None
        assert failure.code == "queue-timeout"


async def test_what_cannot_be_resumed_is_cleaned_up(patient: TrialHub) -> None:
    patient.world.script = Script(queued=Waiting(3), address=("", 0))
    await patient.ask_start()
    await patient.clock.advance(5)
    await patient.restart(kill=True)
    await patient.clock.advance(20)
    failure = (await patient.server()).failure
    assert failure is not None
    assert failure.code == "lost"
    assert patient.world.alive() == set()


@pytest.mark.parametrize("resumed", [True, False])
async def test_it_is_cancelled_at_once(patient: TrialHub, resumed: bool) -> None:
    patient.world.script = Script(queued=Waiting(3), resumes=True)
    await patient.ask_start()
    await patient.clock.advance(100)
    if resumed:
        await patient.restart(kill=True)
        await patient.clock.advance(10)
    await patient.ask_stop()
    await patient.clock.advance(1)
    server = await patient.server()
    assert (server.actual, server.failure) == (Actual.STOPPED, None)
    assert patient.world.alive() == set()


async def test_a_driver_that_cannot_say_changes_nothing(patient: TrialHub) -> None:
    script = patient.world.script = Script(queued=Waiting(3))
    await patient.ask_start()
    await patient.clock.advance(10)
    script.queue_error = RuntimeError("the controller is down")
    await patient.clock.advance(600)
    assert (await patient.server()).actual is Actual.STARTING
    script.queued = script.queue_error = None
    await patient.clock.advance(3)
    assert (await patient.server()).ready


async def test_watchers_are_told_where_it_stands(patient: TrialHub) -> None:
    hub = patient
    hub.world.script = Script(queued=Waiting(12, hub.clock.now() + 7300, "All machines are busy."))
    row = await hub.ask_start()
    steps = watch_start(hub.ctx, row)
    said = [await anext(steps) for _ in range(3)]
    await hub.clock.advance(1.5)
    said.append(await anext(steps))
    expected = (
        "Waiting in the queue: 12 before it, expected to begin in about 2 hours. All machines are busy."
    )
    assert said[-1].message == expected
    assert await standing(hub.ctx, await hub.server()) == Standing(12, said[-1].expected)
    hub.world.script.queued = Waiting(0)
    await hub.clock.advance(1.5)
    assert (await anext(steps)).message == "Waiting in the queue: it is next"
    # Those who come later hear where it stands, not where it has stood.
    assert [step.message for step in hub.ctx.progress.of(row.id, 1) if step.queued] == [
        "Waiting in the queue: it is next"
    ]
    hub.world.script.queued = None
    await hub.clock.advance(2)
    assert [step.message async for step in steps][-1].startswith("Server ready")
    assert await standing(hub.ctx, await hub.server()) is None


async def test_who_lost_the_lease_leaves_what_waits_to_whoever_goes_on(patient: TrialHub) -> None:
    patient.world.script = Script(queued=Waiting(3), resumes=True)
    await patient.ask_start()
    await patient.clock.advance(5)
    row = await patient.server()
    assert row.lease is not None
    async with patient.ctx.store.write() as tx:
        lease = replace(
            row.lease, owner="another", fence=row.version + 1, expires=patient.clock.now() + LONG * 1e3
        )
        await tx.servers.save(replace(row, lease=lease))
    await patient.clock.advance(LONG)
    assert patient.world.alive() == {(row.id, 1)}
