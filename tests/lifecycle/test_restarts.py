"""The hub is killed after each of its commits, and nothing is lost, doubled or orphaned."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.domain.servers import Actual
from carrel.testing.hub import TrialHub, open_test_hub
from carrel.testing.mortal import Dead
from tests.lifecycle.traces import ALL, traces

#: More commits than a start or a stop has.
COMMITS = range(1, 8)


async def _attempt(hub: TrialHub, *, stop: bool = False) -> None:
    """Ask for a start or a stop; the hub may die on the way."""
    try:
        await (hub.ask_stop() if stop else hub.ask_start())
    except Dead:
        return
    await hub.clock.advance(1)


async def _check_world(hub: TrialHub) -> None:
    """Hold what every restart must restore: rows and world agree."""
    server = await hub.server()
    assert server.pending is None
    assert (server.lease, server.deadline) == (None, None)
    if server.ready:
        assert hub.world.alive() == {(server.id, server.generation)}
        assert await traces(hub) == ALL
    else:
        assert await traces(hub) == set()


@pytest.mark.parametrize("commit", COMMITS)
async def test_killed_during_a_start(hub: TrialHub, commit: int) -> None:
    await hub.restart(dies_after=commit)
    await _attempt(hub)
    await hub.restart()
    await hub.clock.advance(1)
    await _check_world(hub)
    server = await hub.server()
    assert server.actual in (Actual.RUNNING, Actual.FAILED)
    assert server.ready or (server.failure is not None and server.failure.code == "lost")


async def test_a_start_has_fewer_commits_than_are_tried(hub: TrialHub) -> None:
    await hub.restart()
    await _attempt(hub)
    assert 4 <= hub.store.commits < COMMITS.stop


@pytest.mark.parametrize(("commit", "ready"), [(1, True), (2, False), (3, False), (4, True)])
async def test_what_each_phase_of_a_start_becomes(hub: TrialHub, commit: int, ready: bool) -> None:
    """A wish is done, an intent or a bare checkpoint cleaned up, what answered at once runs."""
    await hub.restart(dies_after=commit)
    await _attempt(hub)
    assert hub.is_dead()
    await hub.restart()
    await hub.clock.advance(1)
    assert (await hub.server()).ready is ready


async def test_an_adopted_server_is_the_same_process(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.restart(dies_after=4)
    await _attempt(hub)
    hub.probe.answers = True
    assert hub.is_dead()
    process = hub.world.servers[1, 1]
    await hub.restart()
    await hub.clock.advance(1)
    assert hub.world.servers[1, 1] is process
    assert hub.world.calls.count(("start", (1, 1))) == 1
    assert hub.world.calls.count(("stop", (1, 1))) == 0


@pytest.mark.parametrize("commit", COMMITS)
async def test_killed_during_a_stop(hub: TrialHub, commit: int) -> None:
    await hub.start()
    await hub.restart(dies_after=commit)
    await _attempt(hub, stop=True)
    await hub.restart()
    await hub.clock.advance(100)
    await _check_world(hub)
    assert (await hub.server()).actual is Actual.STOPPED


@pytest.mark.parametrize("commit", COMMITS)
async def test_killed_while_a_failed_start_is_cleaned_up(hub: TrialHub, commit: int) -> None:
    hub.world.script.start_error = RuntimeError("broken")
    hub.world.script.leave_on_error = True
    await hub.restart(dies_after=commit)
    await _attempt(hub)
    await hub.restart()
    await hub.clock.advance(1)
    await _check_world(hub)
    assert (await hub.server()).actual is Actual.FAILED


@pytest.mark.parametrize("commit", [1, 2])
async def test_killed_while_an_ended_server_is_buried(hub: TrialHub, commit: int) -> None:
    await hub.start()
    hub.world.servers[1, 1].exit_status = 1
    await hub.restart(dies_after=commit)
    await hub.clock.advance(40)
    await hub.restart()
    await hub.clock.advance(40)
    await _check_world(hub)
    assert (await hub.server()).actual is Actual.FAILED


@pytest.mark.parametrize("seconds", [0, 10, 59])
async def test_killed_while_the_driver_is_at_work(hub: TrialHub, seconds: float) -> None:
    hub.world.script.start_delay = 60
    await hub.start()
    await hub.clock.advance(seconds)
    await hub.restart()
    await hub.clock.settle()
    await _check_world(hub)
    hub.world.script.start_delay = 0
    assert (await hub.start()).ready
    assert hub.world.alive() == {(1, 2)}


async def test_killed_while_a_server_does_not_answer_yet(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.start()
    await hub.clock.advance(10)
    await hub.restart()
    await hub.clock.advance(10)
    assert (await hub.server()).pending == "spawn"
    hub.probe.answers = True
    await hub.clock.advance(1)
    assert (await hub.server()).ready
    await _check_world(hub)


async def test_adopting_does_not_start_the_clock_again(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.start()
    deadline = (await hub.server()).deadline
    assert deadline is not None
    for _ in range(5):
        await hub.clock.advance(25)
        await hub.restart()
        await hub.clock.settle()
    assert hub.clock.now() > deadline
    server = await hub.server()
    assert server.actual is Actual.FAILED
    assert server.failure is not None
    assert server.failure.code in {"timeout", "no-answer"}
    await _check_world(hub)


async def test_a_start_whose_deadline_passed_without_a_hub_is_aborted(hub: TrialHub) -> None:
    hub.world.script.start_delay = 1e6
    await hub.start()
    await hub.shut_down(kill=True)
    await hub.clock.advance(1000)
    await hub.restart()
    await hub.clock.settle()
    server = await hub.server()
    assert server.failure is not None
    assert server.failure.code == "timeout"
    await _check_world(hub)


async def test_a_wish_to_stop_survives_the_hub(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.stop_delay = 30
    await hub.stop()
    await hub.restart()
    await hub.clock.advance(31)
    assert (await hub.server()).actual is Actual.STOPPED
    await _check_world(hub)


async def test_a_cancelled_start_stays_cancelled_after_a_kill(hub: TrialHub) -> None:
    hub.world.script.start_delay = 40
    await hub.start()
    await hub.restart(dies_after=1)
    await _attempt(hub, stop=True)
    assert hub.is_dead()
    await hub.restart()
    await hub.clock.advance(60)
    assert (await hub.server()).actual in (Actual.STOPPED, Actual.FAILED)
    await _check_world(hub)


async def test_a_clean_stop_leaves_servers_running(hub: TrialHub) -> None:
    await hub.start()
    await hub.restart(kill=False)
    await hub.clock.settle()
    await _check_world(hub)
    assert (await hub.server()).ready


async def test_a_clean_stop_in_the_middle_of_a_start(hub: TrialHub) -> None:
    hub.world.script.start_delay = 10
    await hub.start()
    await hub.restart(kill=False)
    await hub.clock.advance(20)
    await _check_world(hub)


async def test_a_server_that_ended_while_there_was_no_hub(hub: TrialHub) -> None:
    await hub.start()
    await hub.shut_down(kill=True)
    hub.world.servers[1, 1].exit_status = 1
    await hub.restart()
    await hub.clock.settle()
    assert (await hub.server()).actual is Actual.FAILED
    await _check_world(hub)


async def test_everything_is_in_the_file(tmp_path: Path) -> None:
    async with open_test_hub(tmp_path) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.restart()
        await hub.clock.settle()
        assert (await hub.server()).ready
        await _check_world(hub)


async def test_many_servers_at_once_survive_a_kill(hub: TrialHub) -> None:
    names = [f"user{number}" for number in range(20)]
    for number, name in enumerate(names):
        await hub.make_user(name)
        hub.world.scripts[name] = type(hub.world.script)(start_delay=number)
        await hub.ask_start(name)
    await hub.clock.advance(10.5)
    await hub.restart()
    await hub.clock.advance(30)
    servers = [await hub.server(name) for name in names]
    assert hub.world.alive() == {(server.id, server.generation) for server in servers if server.ready}
    assert hub.proxy.specs() == {f"/user/{server.user_name}/" for server in servers if server.ready}
    assert [server.ready for server in servers] == [number <= 10 for number in range(20)]
