"""Stops: of running servers, of starts, of what does not want to end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.domain.errors import Invalid
from carrel.domain.servers import Actual, Lease
from carrel.domain.transitions import ask_stop
from carrel.testing.hub import TrialHub
from tests.lifecycle.traces import traces

#: The longest pause between two attempts at the same thing.
LONGEST_RETRY = 30


@pytest.mark.parametrize("after", [0, 5, 30])
async def test_a_start_is_cancelled_at_once(hub: TrialHub, after: float) -> None:
    hub.world.script.start_delay = 40
    await hub.start()
    await hub.clock.advance(after)
    server = await hub.stop()
    assert (server.actual, server.pending, server.failure) == (Actual.STOPPED, None, None)
    assert await traces(hub) == set()


async def test_a_start_that_waits_for_an_answer_is_cancelled(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.start()
    await hub.clock.advance(5)
    assert hub.world.alive()
    assert (await hub.stop()).actual is Actual.STOPPED
    assert await traces(hub) == set()


async def test_a_stop_says_that_it_is_under_way_and_keeps_the_route_off(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.stop_delay = 20
    server = await hub.stop()
    assert (server.actual, server.pending) == (Actual.STOPPING, "stop")
    assert hub.proxy.specs() == set()
    await hub.routes.sync()
    assert hub.proxy.specs() == set()
    with pytest.raises(Invalid, match="pending stop"):
        await hub.ask_start()
    await hub.clock.advance(20)
    assert (await hub.server()).actual is Actual.STOPPED


async def test_a_driver_that_hangs_is_forced(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.stop_delay = 1e6
    await hub.ask_stop()
    await hub.clock.advance(80)
    assert (await hub.server()).actual is Actual.STOPPED
    assert await traces(hub) == set()


async def test_a_row_keeps_saying_that_something_lives_which_cannot_be_ended(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.stop_error = OSError("permission denied")
    await hub.ask_stop()
    await hub.clock.advance(20)
    server = await hub.server()
    assert (server.actual, server.pending, server.active) == (Actual.STOPPING, "stop", True)
    assert server.state == {"handle": 1}
    assert hub.world.alive() == {(1, 1)}
    assert server.failure is not None
    assert server.failure.code == "stop-error"
    assert "permission denied" in server.failure.message
    hub.world.script.stop_error = None
    await hub.clock.advance(LONGEST_RETRY)
    assert (await hub.server()).actual is Actual.STOPPED
    assert await traces(hub) == set()


async def test_a_failed_start_that_cannot_be_cleaned_up_stays_pending_until_it_is(hub: TrialHub) -> None:
    hub.world.script.start_error = RuntimeError("broken")
    hub.world.script.leave_on_error = True
    hub.world.script.stop_error = OSError("not now")
    await hub.start()
    await hub.clock.advance(30)
    assert (await hub.server()).active
    hub.world.script.stop_error = None
    await hub.clock.advance(200)
    server = await hub.server()
    assert (server.actual, server.active) == (Actual.FAILED, False)
    assert await traces(hub) == set()


async def test_stopping_what_does_not_run_changes_nothing(hub: TrialHub) -> None:
    assert await hub.ask_stop() is None
    await hub.start()
    await hub.stop()
    before = await hub.server()
    assert await hub.ask_stop() == before


async def test_a_failing_hook_does_not_keep_a_server_from_ending(hub: TrialHub) -> None:
    await hub.start()

    def explode(user: object, spawner: object) -> None:
        raise ZeroDivisionError

    hub.ctx.authenticator.post_spawn_stop = explode  # type: ignore[method-assign]
    assert (await hub.stop()).actual is Actual.STOPPED
    assert await traces(hub) == set()


async def test_a_removed_server_is_stopped_and_its_row_deleted(hub: TrialHub) -> None:
    from carrel.core.servers import change

    server = await hub.start()
    await change(hub.ctx, server.id, lambda row: ask_stop(row, delete=True))
    await hub.clock.settle()
    assert await hub.reload(server) is None
    assert await traces(hub) == set()


async def test_a_stop_of_another_owner_is_left_alone(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.stop_delay = 10
    await hub.stop()
    async with hub.ctx.store.write() as tx:
        row = await tx.servers.get_by_id(1)
        assert row is not None
        assert row.lease is not None
        await tx.servers.save(replace(row, lease=Lease("other", hub.clock.now() + 60, row.lease.fence + 5)))
    await hub.clock.advance(30)
    server = await hub.server()
    assert server.actual is Actual.STOPPING
    assert server.lease is not None
    assert server.lease.owner == "other"
