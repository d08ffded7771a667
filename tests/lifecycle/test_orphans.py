"""What runs without a row that knows of it is taken over where the row waits for it, and ended elsewhere."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from carrel.core.servers import change
from carrel.domain.events import OrphanFound
from carrel.domain.servers import Actual
from carrel.domain.transitions import ask_stop
from carrel.lifecycle.finder import Finder
from carrel.lifecycle.orphans import GRACE
from carrel.testing.fakes import FakeServer
from carrel.testing.hub import TrialHub
from tests.lifecycle.traces import ALL, traces


def told(hub: TrialHub) -> list[OrphanFound]:
    """Return a list that fills with what the present hub says of orphans."""
    events: list[OrphanFound] = []
    hub.ctx.bus.listen(lambda event: events.append(event) if isinstance(event, OrphanFound) else None)
    return events


async def launch_and_die(hub: TrialHub) -> None:
    """Leave a process that was started and has no checkpoint."""
    hub.world.script.start_delay = 5
    await hub.start()
    await hub.shut_down(kill=True)
    await hub.boot(work=False)
    async with hub.ctx.store.write() as tx:
        row = await tx.servers.get_by_id(1)
        assert row is not None
        assert await tx.servers.save(replace(row, state={}))
    assert hub.world.alive() == {(1, 1)}


async def test_a_process_without_a_checkpoint_is_adopted(hub: TrialHub) -> None:
    await launch_and_die(hub)
    await hub.restart()
    events = told(hub)
    await hub.clock.advance(1)
    server = await hub.server()
    assert (server.ready, server.generation, server.state) == (True, 1, {"handle": 1})
    assert await traces(hub) == ALL
    assert events == [OrphanFound(1, 1, adopted=True)]
    assert [call for call, _ in hub.world.calls].count("start") == 1
    await hub.clock.advance(60)
    assert (await hub.server()).ready


async def test_a_process_without_a_checkpoint_is_stopped_when_nobody_wants_it(hub: TrialHub) -> None:
    await launch_and_die(hub)
    await hub.ask_stop()
    await hub.restart()
    await hub.clock.settle()
    assert (await hub.server()).actual is Actual.STOPPED
    assert await traces(hub) == set()


async def test_not_to_know_what_runs_is_not_to_know_that_nothing_does(hub: TrialHub) -> None:
    await launch_and_die(hub)
    hub.world.script.find_error = OSError("the table of processes cannot be read")
    await hub.restart()
    await hub.clock.advance(20)
    assert (await hub.server()).pending == "spawn"
    hub.world.script.find_error = None
    await hub.clock.advance(6)
    assert (await hub.server()).ready


async def test_what_is_not_the_owners_is_not_adopted(hub: TrialHub) -> None:
    await launch_and_die(hub)
    hub.world.script.disowned = True
    await hub.restart()
    await hub.clock.advance(100)
    failure = (await hub.server()).failure
    assert failure is not None
    assert failure.code == "lost"
    assert hub.proxy.specs() == set()


@pytest.mark.parametrize("key", [(1, 1), (1, 7), (99, 1)])
async def test_what_no_row_waits_for_is_ended_after_a_grace(hub: TrialHub, key: tuple[int, int]) -> None:
    await hub.start()
    await hub.stop()
    await hub.start()
    events = told(hub)
    hub.world.servers[key] = FakeServer({})
    await hub.clock.advance(GRACE - 1)
    assert hub.world.alive() == {key, (1, 2)}
    await hub.clock.advance(7)
    assert hub.world.alive() == {(1, 2)}
    assert events == [OrphanFound(*key, adopted=False)]
    assert (await hub.server()).ready


async def test_what_ends_by_itself_is_not_spoken_of(hub: TrialHub) -> None:
    events = told(hub)
    hub.world.servers[5, 1] = FakeServer({})
    await hub.clock.advance(GRACE - 1)
    hub.world.servers[5, 1].exit_status = 0
    await hub.clock.advance(10)
    hub.world.servers[5, 1].exit_status = None
    await hub.clock.advance(GRACE - 1)
    assert events == []


async def test_what_is_somebody_elses_is_left_alone_and_named_once(
    hub: TrialHub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.world.script.disowned = True
    hub.world.servers[5, 1] = FakeServer({})
    with caplog.at_level(logging.WARNING, "carrel.lifecycle"):
        await hub.clock.advance(60)
    assert hub.world.alive() == {(5, 1)}
    assert len([record for record in caplog.records if "left alone" in record.getMessage()]) == 1


async def test_one_that_cannot_be_ended_does_not_keep_the_others(hub: TrialHub) -> None:
    hub.world.servers[5, 1] = FakeServer({})
    await hub.start()
    row = await hub.server()
    await change(hub.ctx, row.id, ask_stop)
    await hub.clock.settle()
    hub.world.scripts["ada"] = type(hub.world.script)(stop_error=OSError("not permitted"))
    hub.world.servers[1, 1].exit_status = None
    await hub.clock.advance(GRACE + 6)
    assert hub.world.alive() == {(1, 1)}
    hub.world.scripts.clear()
    await hub.clock.advance(6)
    assert hub.world.alive() == set()


async def test_starts_and_running_servers_are_never_orphans(hub: TrialHub) -> None:
    events = told(hub)
    await hub.make_user("bob")
    hub.world.scripts["bob"] = type(hub.world.script)(start_delay=50)
    await hub.start("ada")
    await hub.ask_start("bob")
    await hub.clock.advance(60)
    assert (await hub.server("ada")).ready
    assert (await hub.server("bob")).ready
    assert events == []


async def test_those_who_ask_together_share_a_look(hub: TrialHub) -> None:
    finder, looks = Finder(hub.ctx), 0
    original = hub.ctx.spawner_class.find_orphans

    async def count(self: object, known: object) -> object:
        nonlocal looks
        looks += 1
        await asyncio.sleep(1)
        return await original(self, known)  # type: ignore[arg-type]

    hub.ctx.spawner_class.find_orphans = count  # type: ignore[method-assign, assignment]
    first = [asyncio.create_task(finder.look()) for _ in range(5)]
    await hub.clock.settle()
    late = [asyncio.create_task(finder.look()) for _ in range(5)]
    await hub.clock.advance(2)
    assert all(task.done() for task in first + late)
    assert looks == 2, "who asks while a look is under way gets one that began after that"
