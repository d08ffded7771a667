"""The test kit's clock stands still until it is told, and then wakes everybody at their own moment."""

from __future__ import annotations

import asyncio

from carrel.testing.clock import FakeClock
from carrel.testing.mortal import Life


async def test_time_moves_only_when_told() -> None:
    clock = FakeClock()
    before = clock.now()
    await clock.settle()
    assert (clock.now(), clock.monotonic()) == (before, 0)
    await clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (before + 5, 5)
    clock.jump(-100)
    assert (clock.now(), clock.monotonic()) == (before - 95, 5)


async def test_sleepers_wake_in_order_at_their_moments() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    with clock.drive():
        tasks = [
            asyncio.create_task(sleep(name, seconds)) for name, seconds in (("b", 2), ("a", 1), ("c", 9))
        ]
        await clock.advance(3)
        assert woken == [("a", 1), ("b", 2)]
        await clock.advance(6)
        assert woken[-1] == ("c", 9)
        await asyncio.gather(*tasks)


async def test_the_loops_own_timers_follow() -> None:
    clock = FakeClock()
    with clock.drive():
        sleeping = asyncio.create_task(asyncio.sleep(3600))
        waiting = asyncio.create_task(asyncio.wait_for(asyncio.Event().wait(), 60))
        await clock.advance(59)
        assert not waiting.done()
        await clock.advance(1)
        assert isinstance(waiting.exception(), TimeoutError)
        await clock.advance(3600)
        assert sleeping.done()


async def test_the_killed_clean_nothing_up() -> None:
    life, cleaned = Life(), []
    life.install()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("inner")

    async def parent() -> None:
        await asyncio.create_task(work())

    task = life.spawn(parent(), "parent")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    life.kill()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert cleaned == []
    await life.bury()
    assert cleaned == ["inner"]
