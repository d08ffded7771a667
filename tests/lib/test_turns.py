"""Long pieces of work take turns, and leave turns of the loop to others."""

from __future__ import annotations

import asyncio

from carrel.lib.turns import Turns


async def test_first_come_first_served_and_one_in_each_turn_of_the_loop() -> None:
    turns, done, turn = Turns(), [], 0
    ended = asyncio.Event()

    async def count() -> None:
        nonlocal turn
        while not ended.is_set():
            turn += 1
            await asyncio.sleep(0)

    async def work(name: int) -> None:
        await turns.take()
        done.append((name, turn))

    counting = asyncio.create_task(count())
    async with asyncio.TaskGroup() as group:
        for name in range(5):
            group.create_task(work(name))
    ended.set()
    await counting
    assert [name for name, _ in done] == list(range(5))
    assert len({turn for _, turn in done}) == 5


async def test_who_does_not_wait_any_more_holds_nobody_up() -> None:
    turns, done = Turns(), []

    async def work(name: str) -> None:
        await turns.take()
        done.append(name)

    tasks = [asyncio.create_task(work(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == ["c"]
