"""The simulator's loop: one seed is one run, time is virtual, the dead stay dead, nothing real is reached."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from carrel.testing.simloop import Owner, SimEscape, SimLoop, SimStuck, sealed

Main = Callable[[SimLoop], Coroutine[Any, Any, Any]]


def simulate(main: Main, seed: int = 1, **options: Any) -> Any:
    loop = SimLoop(seed, **options)
    try:
        with sealed(loop, seed):
            return loop.run_until_complete(main(loop))
    finally:
        loop.close()


async def _shuffled(loop: SimLoop) -> list[object]:
    """Return what depends on the order of callbacks, of sets of tasks, and on randomness."""
    found: list[object] = []

    async def child(number: int) -> None:
        try:
            await asyncio.sleep(0)
            found.append(number)
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            found.append(-number)
            raise

    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError

    async def crowd() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(1, 9):
                group.create_task(child(number))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await crowd()
    done, _ = await asyncio.wait({asyncio.create_task(asyncio.sleep(1, number)) for number in range(9)})
    return [*found, *(task.result() for task in done), secrets.token_hex(8), loop.time()]


def test_one_seed_is_one_run_and_other_seeds_are_others() -> None:
    runs = [[simulate(_shuffled, seed) for seed in range(5)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert len({str(run) for run in runs[0]}) == 5


def test_without_permutation_the_order_is_that_of_asyncio() -> None:
    assert simulate(_shuffled, permuted=False)[:8] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_day_passes_at_once_and_timers_keep_their_order() -> None:
    async def main(loop: SimLoop) -> list[float]:
        moments: list[float] = []

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds)
            moments.append(loop.time())

        await asyncio.gather(*(sleep(seconds) for seconds in (86_400, 0.5, 3)))
        return moments

    assert simulate(main) == [0.5, 3, 86_400]


def test_a_timeout_comes_at_its_moment() -> None:
    async def main(loop: SimLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):
                await asyncio.Event().wait()
        return loop.time()

    assert simulate(main) == 7


def test_waiting_for_what_never_comes_is_reported() -> None:
    async def main(loop: SimLoop) -> None:
        await loop.create_future()

    with pytest.raises(SimStuck, match="for ever"):
        simulate(main)


def test_spinning_is_reported() -> None:
    async def main(_loop: SimLoop) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(SimStuck, match="spinning"):
        simulate(main, max_steps=1000)


async def _careful(log: list[str]) -> None:
    async def inner() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            log.append("inner")

    try:
        await asyncio.create_task(inner())
    finally:
        log.append("outer")


def _end(log: list[str], how: Callable[[SimLoop, Owner, asyncio.Task[Any]], object]) -> Main:
    async def main(loop: SimLoop) -> None:
        owner = Owner("process")
        task = loop.run_as(owner, _careful(log))
        await asyncio.sleep(1)
        how(loop, owner, task)
        await asyncio.sleep(100)
        log.append("end")
        loop.bury([owner])

    return main


def test_what_is_killed_cleans_nothing_up_until_it_is_buried() -> None:
    log: list[str] = []
    simulate(_end(log, lambda loop, owner, _task: loop.kill(owner)))
    assert (log[0], sorted(log[1:])) == ("end", ["inner", "outer"])


def test_what_is_cancelled_cleans_up() -> None:
    log: list[str] = []
    simulate(_end(log, lambda _loop, _owner, task: task.cancel()))
    assert log == ["inner", "outer", "end"]


def test_a_process_dies_before_the_step_that_was_named() -> None:
    steps: list[int] = []

    async def count() -> None:
        for step in range(10):
            steps.append(step)
            await asyncio.sleep(1)

    async def main(loop: SimLoop) -> bool:
        owner, noted = Owner("process"), []
        owner.dies_at = 4
        owner.at_death.append(lambda: noted.append(loop.time()))
        loop.run_as(owner, count())
        await asyncio.sleep(100)
        loop.bury([owner])
        return owner.dead and noted != []

    # Each sleep takes two steps: the timer's, and the task's.
    assert simulate(main)
    assert steps == [0, 1]


def test_one_that_pauses_goes_on_later() -> None:
    async def main(loop: SimLoop) -> list[float]:
        moments: list[float] = []

        async def tick() -> None:
            for _ in range(3):
                await asyncio.sleep(1)
                moments.append(loop.time())

        owner = Owner("process")
        task = loop.run_as(owner, tick())
        await asyncio.sleep(1.5)
        loop.pause(owner, 10)
        await task
        return moments

    assert simulate(main) == [1, 11.5, 12.5]


def test_what_belongs_to_nobody_outlives_its_sender() -> None:
    async def main(loop: SimLoop) -> list[str]:
        landed: list[str] = []

        async def send() -> None:
            loop.outside(5, landed.append, "request")
            await loop.create_future()

        owner = Owner("process")
        loop.run_as(owner, send())
        await asyncio.sleep(1)
        loop.kill(owner)
        await asyncio.sleep(10)
        loop.bury([owner])
        return landed

    assert simulate(main) == ["request"]


def test_what_is_buried_begins_no_task_and_no_loop() -> None:
    log: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            log.append("clean up")
            await asyncio.ensure_future(_call(log.append, "a task"))

    async def main(loop: SimLoop, owner: Owner) -> None:
        loop.run_as(owner, work())
        await asyncio.sleep(1)

    loop, owner = SimLoop(1), Owner("one")
    with sealed(loop, 1):
        loop.run_until_complete(main(loop, owner))
        loop.bury([owner])
    loop.close()
    assert (log, loop.errors) == (["clean up"], [])


async def _start_process() -> None:
    await asyncio.create_subprocess_exec("true")


async def _call(function: Callable[..., object], *args: Any) -> None:
    function(*args)


@pytest.mark.parametrize(
    "escape",
    [
        lambda: asyncio.to_thread(print),
        lambda: _call(threading.Thread(target=print).start),
        lambda: asyncio.open_connection("127.0.0.1", 1),
        lambda: _call(socket.socket),
        _start_process,
        lambda: _call(subprocess.run, ["true"]),
        lambda: _call(os.fork),
        lambda: _call(time.time),
        lambda: _call(time.sleep, 0),
    ],
    ids=["to_thread", "thread", "connection", "socket", "create_process", "process", "fork", "time", "sleep"],
)
def test_nothing_real_is_reached(escape: Callable[[], Awaitable[None]]) -> None:
    async def main(_loop: SimLoop) -> None:
        await escape()

    # A module attribute that was looked up when the tests were collected would pass by the seal.
    with pytest.raises(SimEscape):
        simulate(main)


def test_the_seal_is_taken_off_again() -> None:
    before = (time.time, os.urandom, threading.Thread.start, socket.socket.__init__)
    simulate(_shuffled)
    assert (time.time, os.urandom, threading.Thread.start, socket.socket.__init__) == before
