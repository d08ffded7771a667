"""Asking for servers: requests meet in the row, the last wish wins, and everybody who waits is told."""

from __future__ import annotations

import asyncio
import random

import pytest

from carrel.core.servers import ask_to_start, ask_to_stop, get_server, wait_until_settled, watch_start
from carrel.domain.errors import Forbidden, Invalid, NotFound
from carrel.domain.events import ServerProgress
from carrel.domain.servers import Server
from carrel.testing.hub import TrialHub


async def test_two_starts_at_once_are_one(hub: TrialHub) -> None:
    hub.world.script.start_delay = 5
    rows = await asyncio.gather(*(hub.ask_start() for _ in range(5)))
    assert {(row.id, row.wanted_generation) for row in rows} == {(1, 1)}
    await hub.clock.advance(6)
    assert (await hub.server()).ready
    assert hub.world.alive() == {(1, 1)}
    assert [call for call in hub.world.calls if call[0] == "start"] == [("start", (1, 1))]


async def test_a_running_server_is_not_started_again(hub: TrialHub) -> None:
    await hub.start()
    with pytest.raises(Invalid, match="ada is already running"):
        await hub.ask_start()


async def test_options_are_kept_from_the_last_time(hub: TrialHub) -> None:
    await hub.ask_start(options={"size": "big"})
    await hub.clock.settle()
    await hub.stop()
    await hub.start()
    assert (await hub.server()).user_options == {"size": "big"}
    await hub.stop()
    await hub.ask_start(options={"size": "small"})
    assert (await hub.server()).user_options == {"size": "small"}


@pytest.mark.parametrize("seed", range(12))
async def test_a_storm_of_starts_and_stops_ends_in_the_last_wish(hub: TrialHub, seed: int) -> None:
    chance = random.Random(seed)
    hub.world.script.start_delay = chance.choice([0, 1, 3])
    hub.world.script.stop_delay = chance.choice([0, 1, 3])
    wish = ""
    for _ in range(30):
        wanted = chance.choice(["start", "stop"])
        try:
            await (hub.ask_start() if wanted == "start" else hub.ask_stop())
        except Invalid:
            # It runs already, or is being stopped: the wish was not taken.
            continue
        wish = wanted
        await hub.clock.advance(chance.choice([0, 0, 0.5, 2]))
        assert len(hub.world.alive()) <= 1
    await hub.clock.advance(60)
    server = await hub.server()
    assert server.pending is None
    assert server.ready is (wish == "start")
    assert hub.world.alive() == ({(server.id, server.generation)} if server.ready else set())
    assert hub.proxy.specs() == ({"/user/ada/"} if server.ready else set())


async def test_waiting_ends_when_the_server_is_ready(hub: TrialHub) -> None:
    hub.world.script.start_delay = 4
    waiting = asyncio.create_task(wait_until_settled(hub.ctx, await hub.ask_start(), 10))
    await hub.clock.advance(3)
    assert not waiting.done()
    await hub.clock.advance(1)
    server = await waiting
    assert server is not None
    assert server.ready


async def test_waiting_ends_after_its_time(hub: TrialHub) -> None:
    hub.world.script.start_delay = 40
    waiting = asyncio.create_task(wait_until_settled(hub.ctx, await hub.ask_start(), 10))
    await hub.clock.advance(10)
    server = await waiting
    assert server is not None
    assert server.pending == "spawn"


async def test_waiting_for_a_row_that_goes(hub: TrialHub) -> None:
    from carrel.core.users import delete_user

    server = await hub.start()
    await hub.stop()
    await delete_user(hub.ctx, await hub.find("root"), "ada")
    assert await wait_until_settled(hub.ctx, server, 10) is None


async def _watch(hub: TrialHub, server: Server) -> list[ServerProgress]:
    return [step async for step in watch_start(hub.ctx, server)]


async def test_a_watcher_sees_every_step_once_and_the_outcome(hub: TrialHub) -> None:
    hub.world.script.start_delay = 4
    server = await hub.ask_start()
    early = asyncio.create_task(_watch(hub, server))
    await hub.clock.advance(2)
    late = asyncio.create_task(_watch(hub, server))
    await hub.clock.advance(3)
    steps = await early
    assert [step.progress for step in steps] == [0, 20, 50, 60, 100]
    assert steps[-1].ready
    assert await late == steps


async def test_a_watcher_sees_why_a_start_failed(hub: TrialHub) -> None:
    hub.world.script.start_error = RuntimeError("no room")
    steps = await asyncio.gather(_watch(hub, await hub.ask_start()), hub.clock.advance(1))
    assert (steps[0][-1].failed, steps[0][-1].ready) == (True, False)
    assert "no room" in steps[0][-1].message


async def test_a_watcher_of_a_cancelled_start_is_let_go(hub: TrialHub) -> None:
    hub.world.script.start_delay = 30
    watching = asyncio.create_task(_watch(hub, await hub.ask_start()))
    await hub.clock.advance(1)
    await hub.stop()
    assert (await watching)[-1].failed


async def test_a_watcher_who_comes_afterwards_gets_the_outcome(hub: TrialHub) -> None:
    server = await hub.start()
    assert (await _watch(hub, server))[-1].ready


async def test_servers_of_others(hub: TrialHub) -> None:
    ada, root = await hub.find("ada"), await hub.find("root")
    await hub.start("root")
    for attempt in (
        get_server(hub.ctx, ada, "root"),
        ask_to_start(hub.ctx, ada, "root"),
        ask_to_stop(hub.ctx, ada, "root"),
        get_server(hub.ctx, root, "ghost"),
        ask_to_start(hub.ctx, root, "ghost"),
        ask_to_stop(hub.ctx, root, "ghost"),
    ):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(Forbidden):
        await ask_to_start(hub.ctx, hub.caller_of(ada.user, "tokens!user"), "ada")
    assert (await ask_to_stop(hub.ctx, root, "root")) is not None
