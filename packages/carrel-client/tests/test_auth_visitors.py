"""How long the hub's answers are used, and what happens while the hub is away."""

from __future__ import annotations

import asyncio
import logging

import pytest

from carrel_client.auth.hub import HubUnreachable, Visitor
from carrel_client.auth.visitors import FRESH_SECONDS, GRACE_SECONDS, Visitors

ALICE = Visitor("alice", frozenset({"access:servers!user=alice"}))


class Hub:
    """Answers when the test lets it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.known: dict[str, Visitor] = {"a": ALICE}
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, token: str) -> Visitor | None:
        self.asked.append(token)
        await self.open.wait()
        if self.away:
            raise HubUnreachable("connection refused")
        return self.known.get(token)

    def visitors(self) -> Visitors:
        return Visitors(self.ask, lambda: self.now, logging.getLogger("test"))


async def test_an_answer_is_used_for_five_minutes() -> None:
    hub = Hub()
    visitors = hub.visitors()
    assert await visitors.identify("a") == ALICE
    hub.now = FRESH_SECONDS - 1
    assert await visitors.identify("a") == ALICE
    assert hub.asked == ["a"]
    hub.now = FRESH_SECONDS
    assert await visitors.identify("a") == ALICE
    assert hub.asked == ["a", "a"]


async def test_an_unknown_token_is_nobody_and_is_asked_again() -> None:
    hub = Hub()
    visitors = hub.visitors()
    assert await visitors.identify("x") is None
    assert await visitors.identify("x") is None
    assert hub.asked == ["x", "x"]


async def test_another_session_and_a_forgotten_token_are_asked_anew() -> None:
    hub = Hub()
    visitors = hub.visitors()
    await visitors.identify("a", "one")
    await visitors.identify("a", "two")
    visitors.forget("a", "one")
    await visitors.identify("a", "one")
    await visitors.identify("a", "two")
    assert hub.asked == ["a", "a", "a"]


async def test_many_wait_for_one_answer_and_one_may_leave() -> None:
    hub = Hub()
    visitors = hub.visitors()
    hub.open.clear()
    waiting = [asyncio.create_task(visitors.identify("a")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    hub.open.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [ALICE] * 4
    assert hub.asked == ["a"]


async def test_an_answer_that_is_on_its_way_when_its_token_is_forgotten_is_not_kept() -> None:
    hub = Hub()
    visitors = hub.visitors()
    hub.open.clear()
    before = asyncio.create_task(visitors.identify("a"))
    while not hub.asked:
        await asyncio.sleep(0)
    visitors.forget("a")
    hub.open.set()
    assert await before == ALICE
    hub.known.clear()
    assert await visitors.identify("a") is None


async def test_who_comes_after_a_token_was_forgotten_gets_no_earlier_answer() -> None:
    hub = Hub()
    visitors = hub.visitors()
    hub.open.clear()
    waiting = [asyncio.create_task(visitors.identify("a"))]
    while not hub.asked:
        await asyncio.sleep(0)
    visitors.forget("a")
    waiting.append(asyncio.create_task(visitors.identify("a")))
    async with asyncio.timeout(5):
        while len(hub.asked) < 2:
            await asyncio.sleep(0)
    hub.open.set()
    assert await asyncio.gather(*waiting) == [ALICE, ALICE]
    assert await visitors.identify("a") == ALICE
    assert hub.asked == ["a", "a"]


async def test_a_hub_that_is_away_logs_nobody_out_for_an_hour() -> None:
    hub = Hub()
    visitors = hub.visitors()
    await visitors.identify("a")
    hub.away = True
    hub.now = FRESH_SECONDS + GRACE_SECONDS - 1
    assert await visitors.identify("a") == ALICE
    assert len(hub.asked) == 2
    assert await visitors.identify("a") == ALICE
    assert len(hub.asked) == 2, "a hub that is away is not asked for every request"
    with pytest.raises(HubUnreachable):
        await visitors.identify("b")
    hub.now = FRESH_SECONDS + GRACE_SECONDS + 10
    with pytest.raises(HubUnreachable):
        await visitors.identify("a")


async def test_a_right_withdrawn_is_gone_when_the_hub_is_back() -> None:
    hub = Hub()
    visitors = hub.visitors()
    await visitors.identify("a")
    hub.away = True
    hub.now = FRESH_SECONDS + 1
    await visitors.identify("a")
    hub.away = False
    hub.known.clear()
    hub.now += 11
    assert await visitors.identify("a") is None
    hub.away = True
    with pytest.raises(HubUnreachable):
        await visitors.identify("a")


async def test_the_memory_is_bounded() -> None:
    hub = Hub()
    visitors = hub.visitors()
    hub.known = {f"t{number}": ALICE for number in range(1100)}
    for token in hub.known:
        await visitors.identify(token)
    await visitors.identify("t1099")
    assert len(hub.asked) == 1100
    await visitors.identify("t0")
    assert len(hub.asked) == 1101
