"""Coroutines for threads that are not asynchronous."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from carrel_client.loops import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


async def _thread() -> int:
    return threading.get_ident()


async def _fail() -> None:
    raise LookupError("no such thing")


async def _count(ended: list[bool]) -> AsyncGenerator[int, None]:
    try:
        for number in range(3):
            yield number
    finally:
        ended.append(True)


def test_results_and_errors_come_back(loop: LoopThread) -> None:
    thread = loop.run(_thread())
    assert thread != threading.get_ident()
    assert loop.run(_thread()) == thread
    with pytest.raises(LookupError, match="no such thing"):
        loop.run(_fail())


def test_generators_end_when_the_caller_stops(loop: LoopThread) -> None:
    ended: list[bool] = []
    assert list(loop.each(_count(ended))) == [0, 1, 2]
    items = loop.each(_count(ended))
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]  # it is a generator, declared as what it gives
    assert ended == [True, True]


def test_it_can_be_closed_and_used_again(loop: LoopThread) -> None:
    loop.close()
    loop.close()
    loop.run(_thread())
    loop.close()
    assert loop.run(_thread())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_it_works_after_a_fork(loop: LoopThread) -> None:
    loop.run(_thread())
    child = os.fork()
    if not child:
        os._exit(0 if loop.run(_thread()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
