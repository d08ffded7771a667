"""When calls are answered: with what all workers know, after all of them know what was changed."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest

from carrel.dataplane.channel import Applied, Ask, Told
from carrel.dataplane.control_server import Call
from carrel.dataplane.fleet import Fleet
from carrel.dataplane.forker import Forker
from carrel.dataplane.replies import Reply
from carrel.dataplane.routes import RouteTable
from carrel.testing.clock import FakeClock
from tests.dataplane.wired import TARGET, Pair, report

ADD = Call("POST", "/api/routes/a")
LIST = Call("GET", "/api/routes")


class Two:
    """A fleet of two workers that serve, and calls to it that add a route or ask for nothing."""

    def __init__(self) -> None:
        self.table = RouteTable(FakeClock())
        log = logging.getLogger("carrel.test")
        # Nothing is forked, and nobody listens.
        self.fleet = Fleet(self.table, cast("Forker", None), [], 1.0, FakeClock(), log)
        self.pairs = [Pair(self.fleet), Pair(self.fleet)]
        self.fleet._members = [pair.member for pair in self.pairs]
        self.table.on_change(self.fleet._changed)
        for pair in self.pairs:
            pair.start()

    def _answer(self, call: Call) -> Reply:
        if call.method == "GET":
            return Reply(200, str(self.fleet.load.connections).encode())
        self.table.add("/a", TARGET)
        return Reply(201)

    async def call(self, call: Call) -> asyncio.Task[Reply]:
        """Return a call that has come as far as it can."""
        answer = self.fleet.answering(self._answer)(call)
        assert not isinstance(answer, Reply)
        task = asyncio.ensure_future(answer)
        await _rest()
        return task


async def _rest() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def two() -> Two:
    return Two()


async def test_a_change_is_answered_when_every_worker_has_it(two: Two) -> None:
    call = await two.call(ADD)
    for pair in two.pairs:
        assert [type(message) for message in pair.heard()] == [Told]
        assert not call.done()
        pair.say(Applied(1))
        await _rest()
    assert call.result().status == 201


async def test_a_worker_that_ends_is_not_waited_for(two: Two) -> None:
    call = await two.call(ADD)
    two.pairs[0].say(Applied(1))
    two.pairs[1].member.channel.connection_lost(None)
    await _rest()
    assert call.result().status == 201


async def test_nothing_is_told_before_a_change_that_it_shows_is_everywhere(two: Two) -> None:
    add = await two.call(ADD)
    listed = await two.call(LIST)
    for pair in two.pairs:
        assert not add.done()
        assert not listed.done()
        pair.say(Applied(1))
        pair.say(report())
        await _rest()
    assert (add.result().status, listed.result().status) == (201, 200)


async def test_questions_are_answered_with_new_reports(two: Two) -> None:
    listed = await two.call(LIST)
    for pair in two.pairs:
        assert pair.heard() == [Ask()]
        assert not listed.done()
        pair.say(report())
        await _rest()
    assert listed.result().body == b"6"


async def test_what_starts_meanwhile_is_not_waited_for(two: Two) -> None:
    starting = Pair(two.fleet)
    two.fleet._members.append(starting.member)
    call = await two.call(ADD)
    for pair in two.pairs:
        pair.say(Applied(1))
    await _rest()
    assert call.result().status == 201
    assert starting.heard() == []
