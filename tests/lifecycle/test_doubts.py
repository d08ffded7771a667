"""Drivers that cannot tell whether a server lives: then its own address is asked, patiently."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from carrel.domain.servers import Actual
from carrel.lifecycle.poll import DOUBT_EVERY, DOUBT_SPAN
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.traces import ALL, traces

POLL = 34


@pytest.fixture
async def blind() -> AsyncIterator[TrialHub]:
    """A hub whose driver cannot tell, with ada's server running."""
    async with open_test_hub() as hub:
        hub.ctx.spawner_class.knows_death = False
        await hub.make_user("ada")
        assert (await hub.start()).ready
        hub.world.script.poll_error = ConnectionError("no idea")
        yield hub


async def test_a_server_that_answers_lives(blind: TrialHub) -> None:
    await blind.clock.advance(10 * POLL)
    assert (await blind.server()).ready


async def test_one_that_answers_no_more_is_dead_after_three_probes(blind: TrialHub) -> None:
    blind.probe.answers = False
    asked = len(blind.probe.asked)
    await blind.clock.advance(POLL + DOUBT_EVERY)
    assert (await blind.server()).ready
    await blind.clock.advance(DOUBT_SPAN)
    server = await blind.server()
    assert server.actual is Actual.FAILED
    assert server.failure is not None
    assert server.failure.code == "silent"
    assert "has not answered for" in server.failure.message
    assert len(blind.probe.asked) - asked == 3


async def test_an_answer_between_two_failures_counts(blind: TrialHub) -> None:
    for answers in [False, False, True] * 5:
        blind.probe.answers = answers
        asked = len(blind.probe.asked)
        while len(blind.probe.asked) == asked:
            await blind.clock.advance(1)
    assert (await blind.server()).ready
    assert await traces(blind) == ALL


async def test_the_drivers_word_is_enough(blind: TrialHub) -> None:
    blind.world.script.poll_error = None
    blind.world.servers[1, 1].exit_status = 4
    await blind.clock.advance(POLL)
    assert (await blind.server()).actual is Actual.FAILED


async def test_a_driver_that_can_tell_is_believed(hub: TrialHub) -> None:
    await hub.start()
    hub.probe.answers = False
    await hub.clock.advance(10 * POLL)
    assert (await hub.server()).ready
