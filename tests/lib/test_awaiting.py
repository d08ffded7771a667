"""Waiting for calls that answer, fail, hang or do not want to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from carrel.lib.awaiting import TookTooLong, in_thread, resolve_within
from carrel.testing.clock import FakeClock


@contextmanager
def driven() -> Iterator[FakeClock]:
    clock = FakeClock()
    with clock.drive():
        yield clock


async def _give(value: Any) -> Any:
    return value


async def _raise(error: BaseException) -> None:
    raise error


async def test_what_comes_at_once_or_later_comes_back() -> None:
    assert await resolve_within(7, 1) == 7
    assert await resolve_within(_give(7), 1) == 7
    future = asyncio.get_running_loop().create_future()
    future.set_result(7)
    assert await resolve_within(future, 1) == 7


async def test_its_own_errors_are_told_from_the_limit() -> None:
    with pytest.raises(TimeoutError) as caught:
        await resolve_within(_raise(TimeoutError("mine")), 1)
    assert not isinstance(caught.value, TookTooLong)
    for error in (asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt()):
        with pytest.raises(RuntimeError):
            await resolve_within(_raise(error), 1)


async def _hang(seen: list[str], *, stubborn: float = 0) -> str:
    try:
        await asyncio.sleep(1e6)
    except asyncio.CancelledError:
        seen.append("cancelled")
        if not stubborn:
            raise
    await asyncio.sleep(stubborn)
    return "late"


async def test_what_hangs_is_cancelled_after_its_time() -> None:
    with driven() as clock:
        seen: list[str] = []
        waiting = asyncio.create_task(resolve_within(_hang(seen), 5))
        await clock.advance(4.9)
        assert not waiting.done()
        await clock.advance(0.1)
        with pytest.raises(TookTooLong, match="5 seconds"):
            await waiting
        assert seen == ["cancelled"]


async def test_a_limit_may_move_on_the_way() -> None:
    with driven() as clock:
        until = clock.monotonic() + 5
        waiting = asyncio.create_task(resolve_within(_hang([]), lambda: until - clock.monotonic()))
        await clock.advance(4)
        until += 10
        await clock.advance(10)
        assert not waiting.done()
        await clock.advance(1)
        with pytest.raises(TookTooLong):
            await waiting


async def test_what_does_not_end_is_left_behind_and_heard_of_later() -> None:
    with driven() as clock:
        late: list[Any] = []
        work = resolve_within(_hang([], stubborn=60), 5, lambda task: late.append(task.result()))
        waiting = asyncio.create_task(work)
        await clock.advance(8)
        assert waiting.done()
        assert isinstance(waiting.exception(), TookTooLong)
        assert late == []
        await clock.advance(60)
        assert late == ["late"]


async def test_a_caller_who_is_cancelled_takes_the_call_along() -> None:
    with driven() as clock:
        for stubborn in (0, 60):
            seen: list[str] = []
            waiting = asyncio.create_task(resolve_within(_hang(seen, stubborn=stubborn), 1e5))
            await clock.advance(1)
            waiting.cancel()
            await clock.advance(3)
            assert waiting.cancelled()
            assert seen == ["cancelled"]


async def test_a_caller_who_is_cancelled_at_once_leaves_no_coroutine_unawaited() -> None:
    waiting = asyncio.create_task(resolve_within(_give(7), 1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_runs_in_a_thread_is_over_when_its_caller_goes_on() -> None:
    began, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert gate.wait(20)
        ended.set()
        raise ValueError("heard by nobody")

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 20)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert ended.is_set()


async def test_what_runs_in_a_thread_answers_and_fails() -> None:
    assert await in_thread(int, "12", base=8) == 10
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "x")
