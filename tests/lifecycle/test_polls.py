"""A running server that ends is noticed; one that nobody can ask about is still running."""

from __future__ import annotations

import asyncio

import pytest

from carrel.domain.servers import Actual
from carrel.testing.fakes import FakeSpawner
from carrel.testing.hub import TrialHub
from tests.lifecycle.traces import ALL, server_tokens, traces

#: Longer than the poll interval with its jitter.
POLL = 34


async def test_a_server_that_ends_is_failed_with_its_status_and_log(hub: TrialHub) -> None:
    hub.world.script.log = "Out of memory"
    await hub.start()
    hub.world.servers[1, 1].exit_status = 137
    await hub.clock.advance(POLL)
    server = await hub.server()
    assert server.actual is Actual.FAILED
    assert server.failure is not None
    assert (server.failure.code, server.failure.log) == ("out-of-memory", "Out of memory")
    assert "ran out of memory" in server.failure.message
    assert (server.url, server.state, server.pending) == ("", {}, None)
    assert await traces(hub) == set()


async def test_a_server_that_ended_can_be_started_again(hub: TrialHub) -> None:
    await hub.start()
    hub.world.servers[1, 1].exit_status = 0
    await hub.clock.advance(POLL)
    server = await hub.start()
    assert (server.ready, server.generation, server.failure) == (True, 2, None)


async def test_unknown_is_not_dead(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.poll_error = ConnectionError("the cluster does not answer")
    await hub.clock.advance(10 * POLL)
    assert (await hub.server()).ready
    assert await traces(hub) == ALL
    hub.world.script.poll_error = None
    hub.world.servers[1, 1].exit_status = 1
    await hub.clock.advance(POLL)
    assert (await hub.server()).actual is Actual.FAILED


async def test_a_server_is_polled_once_in_each_interval(hub: TrialHub) -> None:
    await hub.start()
    before = hub.world.calls.count(("poll", (1, 1)))
    await hub.clock.advance(300)
    assert 8 <= hub.world.calls.count(("poll", (1, 1))) - before <= 12


async def test_a_poll_that_hangs_does_not_hold_up_a_stop(hub: TrialHub) -> None:
    await hub.start()
    asked = asyncio.Event()

    async def hang(self: object) -> int | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    polling, hub.ctx.spawner_class.poll = hub.ctx.spawner_class.poll, hang  # type: ignore[method-assign]
    await hub.clock.advance(POLL)
    assert asked.is_set()
    hub.ctx.spawner_class.poll = polling  # type: ignore[method-assign]
    assert (await hub.stop()).actual is Actual.STOPPED


async def test_a_poll_that_hangs_ends_as_unknown(hub: TrialHub) -> None:
    await hub.start()

    async def hang(self: object) -> int | None:
        await asyncio.Event().wait()
        return 1

    hub.ctx.spawner_class.poll = hang  # type: ignore[method-assign]
    await hub.clock.advance(10 * POLL)
    assert (await hub.server()).ready


async def test_the_token_of_a_server_that_ended_is_worth_nothing(hub: TrialHub) -> None:
    from carrel.core.access import caller_of_token

    await hub.start()
    secret = hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
    assert await caller_of_token(hub.ctx, secret) is not None
    hub.world.servers[1, 1].exit_status = 1
    await hub.clock.advance(POLL)
    assert await server_tokens(hub) == []
    assert await caller_of_token(hub.ctx, secret) is None


async def test_a_server_that_moved_gets_its_requests_where_it_is(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.start()
    before = (await hub.server()).url
    seen: list[str] = []

    async def moved(self: FakeSpawner) -> int | None:
        # As kubespawner does it, and db.commit() with it.
        seen.append(self.server.url)
        self.server.ip, self.server.port = "10.0.0.9", 8888
        self.db.commit()
        return None

    monkeypatch.setattr(hub.ctx.spawner_class, "poll", moved)
    await hub.clock.advance(POLL)
    server = await hub.server()
    assert (server.ready, server.url) == (True, "http://10.0.0.9:8888")
    assert seen[0] == f"{before}/user/ada/"
    assert hub.proxy.table["/user/ada/"][0] == server.url
