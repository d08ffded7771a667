"""One job for each server; one that does not end when it is told to is left to itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from carrel.domain.transitions import Action
from carrel.lifecycle.desk import PATIENCE, Desk
from carrel.testing.clock import FakeClock

Ends = list[tuple[int, Action, BaseException | None]]


@pytest.fixture
def ends() -> Ends:
    return []


@pytest.fixture
def desk(ends: Ends) -> Desk:
    return Desk(lambda *end: ends.append(end))


@pytest.fixture
async def clock() -> AsyncIterator[FakeClock]:
    clock = FakeClock()
    with clock.drive():
        yield clock


async def _stubborn(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        try:
            await asyncio.sleep(until - loop.time())
        except asyncio.CancelledError:
            continue


async def test_a_job_ends_once(desk: Desk, ends: Ends, clock: FakeClock) -> None:
    desk.begin(1, Action.STOP, asyncio.sleep(5))
    await clock.advance(4)
    assert desk.is_busy(1)
    await clock.advance(1)
    assert (desk.is_busy(1), ends) == (False, [(1, Action.STOP, None)])


async def test_what_it_raises_is_told(desk: Desk, ends: Ends, clock: FakeClock) -> None:
    async def fail() -> None:
        raise OSError("no")

    desk.begin(1, Action.START, fail())
    await clock.advance(1)
    assert isinstance(ends[0][2], OSError)


async def test_an_interrupted_job_ends_at_once(desk: Desk, ends: Ends, clock: FakeClock) -> None:
    desk.begin(1, Action.START, asyncio.sleep(1000))
    await clock.advance(1)
    desk.interrupt(1)
    desk.interrupt(1)
    await clock.settle()
    assert ends == [(1, Action.START, None)]
    await clock.advance(2 * PATIENCE)
    assert len(ends) == 1


async def test_one_that_goes_on_is_left_to_itself(desk: Desk, ends: Ends, clock: FakeClock) -> None:
    desk.begin(1, Action.START, _stubborn(100))
    await clock.advance(1)
    desk.interrupt(1)
    await clock.advance(PATIENCE - 0.1)
    assert desk.is_busy(1)
    await clock.advance(0.1)
    assert ends == [(1, Action.START, None)]
    desk.begin(1, Action.CANCEL, asyncio.sleep(500))
    await clock.advance(200)
    assert desk.is_busy(1), "the end of the first job is none of the second's"
    assert len(ends) == 1
    await desk.clear()


@pytest.mark.parametrize(
    ("job", "action", "outdated"),
    [
        (Action.START, Action.CANCEL, True),
        (Action.START, Action.ABORT, True),
        (Action.RECOVER, Action.ABORT, True),
        (Action.CANCEL, Action.CANCEL, False),
        (Action.ABORT, Action.ABORT, False),
        (Action.POLL, Action.STOP, True),
        (Action.POLL, Action.POLL, False),
        (Action.STOP, Action.STOP, False),
        (Action.STOP, Action.NONE, False),
        (Action.START, Action.NONE, False),
    ],
)
async def test_which_jobs_stand_in_the_way(desk: Desk, job: Action, action: Action, outdated: bool) -> None:
    desk.begin(1, job, asyncio.sleep(1))
    assert desk.is_outdated(1, action) is outdated
    await desk.clear()


async def test_a_stop_that_takes_too_long_is_interrupted_unless_it_has_just_begun(
    desk: Desk, clock: FakeClock
) -> None:
    desk.begin(1, Action.FORCE, asyncio.sleep(1000))
    assert not desk.is_outdated(1, Action.FORCE)
    await clock.advance(6)
    assert desk.is_outdated(1, Action.FORCE)
    await desk.clear()
