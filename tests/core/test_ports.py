"""A server says on which port it listens, with its own token, until the hub will not forget it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from carrel.core.access import caller_of_token
from carrel.core.caller import Caller
from carrel.core.ports import tell_port
from carrel.domain.errors import Conflict, Forbidden, Unavailable
from carrel.spawners.reports import Waiting
from carrel.testing.fakes import FakeSpawner, Script
from carrel.testing.hub import TrialHub, open_test_hub


class Speaking(FakeSpawner):
    """A driver that knows its server's port from the server alone."""

    def heard(self, port: int) -> None:
        self._script.address = ("127.0.0.1", port)
        self._script.queued = None


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        hub.world.script = Script(queued=Waiting(), resumes=True)
        hub.spawner_class = type("Speaking", (Speaking,), {"world": hub.world})
        await hub.restart(kill=False)
        yield hub


async def _server(hub: TrialHub) -> Caller:
    """Ask for ada's server and return it as a caller, with the token that it was given."""
    await hub.ask_start()
    await hub.clock.advance(2)
    (server,) = hub.world.servers.values()
    caller = await caller_of_token(hub.ctx, server.env["JUPYTERHUB_API_TOKEN"])
    assert caller is not None
    return caller


async def test_its_start_hears_it_and_the_answer_comes_when_the_row_has_it(hub: TrialHub) -> None:
    telling = asyncio.create_task(tell_port(hub.ctx, await _server(hub), 4321))
    await hub.clock.advance(3)
    await telling
    assert (await hub.server()).url == "http://127.0.0.1:4321"


async def test_it_may_be_said_again_and_not_otherwise(hub: TrialHub) -> None:
    caller = await _server(hub)
    telling = asyncio.create_task(tell_port(hub.ctx, caller, 4321))
    await hub.clock.advance(3)
    await telling
    await tell_port(hub.ctx, caller, 4321)
    with pytest.raises(Conflict):
        await tell_port(hub.ctx, caller, 4322)


async def test_a_start_that_is_resumed_hears_it(hub: TrialHub) -> None:
    await _server(hub)
    await hub.restart(kill=True)
    caller = await caller_of_token(
        hub.ctx, next(iter(hub.world.servers.values())).env["JUPYTERHUB_API_TOKEN"]
    )
    assert caller is not None
    telling = asyncio.create_task(tell_port(hub.ctx, caller, 4321))
    await hub.clock.advance(5)
    await telling
    assert (await hub.server()).ready


async def test_other_tokens_may_not_say_it(hub: TrialHub) -> None:
    await _server(hub)
    secret = await hub.token_of((await hub.find("ada")).user)
    own = await caller_of_token(hub.ctx, secret)
    assert own is not None
    for caller in (own, await hub.find("ada")):
        with pytest.raises(Forbidden):
            await tell_port(hub.ctx, caller, 4321)


async def test_a_driver_that_does_not_listen_leaves_it_unsaid() -> None:
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        hub.world.script = Script(queued=Waiting())
        telling = asyncio.create_task(tell_port(hub.ctx, await _server(hub), 4321))
        await hub.clock.advance(29)
        assert not telling.done()
        await hub.clock.advance(2)
        with pytest.raises(Unavailable):
            await telling


async def test_a_start_that_is_over_waits_for_nothing(hub: TrialHub) -> None:
    caller = await _server(hub)
    await hub.stop()
    with pytest.raises(Conflict):
        await tell_port(hub.ctx, caller, 4321)
