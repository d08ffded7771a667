"""One question for all who ask at a time, not too often, and errors that tell nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from carrel.spawners.batch.board import Board, Remembered
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear


class System:
    """A batch system that answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.jobs: Jobs = {"1": Job("1", JobState.RUNNING), "2": Job("2", JobState.PENDING)}
        self.error: Exception | None = None

    async def question(self, ids: Collection[str]) -> Jobs:
        self.asked.append(set(ids))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.jobs


async def test_who_asks_at_the_same_time_shares_a_question() -> None:
    system, board = System(), Board()
    answers = await asyncio.gather(*(board.ask(name, system.question, 60) for name in ("1", "2", "3", "1")))
    assert [answer.state if answer else None for answer in answers] == [
        JobState.RUNNING,
        JobState.PENDING,
        None,
        JobState.RUNNING,
    ]
    assert system.asked == [{"1", "2", "3"}]


async def test_the_next_question_waits_unless_somebody_is_in_a_hurry() -> None:
    system, board = System(), Board()
    await board.ask("1", system.question, 3600)
    later = asyncio.create_task(board.ask("2", system.question, 3600))
    await asyncio.sleep(0.05)
    assert not later.done()
    await board.ask("1", system.question, 3600, now=True)
    assert (await later) == system.jobs["2"]
    assert system.asked == [{"1"}, {"1", "2"}]


@pytest.mark.parametrize("error", [Unclear("the controller is down"), ValueError("garbage"), OSError()])
async def test_without_an_answer_nothing_is_known_and_the_next_question_is_put(error: Exception) -> None:
    system, board = System(), Board()
    system.error = error
    with pytest.raises(Unclear):
        await board.ask("1", system.question, 0.01)
    assert not board.works
    system.error = None
    assert await board.ask("1", system.question, 0.01) == system.jobs["1"]
    assert board.works


async def test_who_gives_up_takes_nobodys_answer_away() -> None:
    system, board = System(), Board()
    impatient = asyncio.create_task(board.ask("1", system.question, 0.01))
    patient = asyncio.create_task(board.ask("2", system.question, 0.01))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == system.jobs["2"]


async def test_what_is_remembered_is_asked_again_when_it_is_too_old() -> None:
    asked = []

    async def question() -> int:
        asked.append(1)
        return len(asked)

    known = Remembered()
    assert [await known.get(question, 60) for _ in range(3)] == [1, 1, 1]
    assert await known.get(question, 0) == 2


async def test_an_answer_to_a_question_of_before_a_change_is_not_given_after_it() -> None:
    asked: list[int] = []
    goes_on = asyncio.Event()

    async def question() -> int:
        asked.append(1)
        number = len(asked)
        if number == 2:
            await goes_on.wait()
        return number

    known = Remembered()
    assert await known.get(question, 60) == 1
    known.doubt()
    asking = asyncio.create_task(known.get(question, 60))
    await asyncio.sleep(0)
    # Something changes while it is asked.
    known.doubt()
    goes_on.set()
    assert await asking == 3
    assert await known.get(question, 60) == 3
