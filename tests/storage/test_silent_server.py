"""A server that falls silent as a whole: the driver then waits for it even to be let go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from carrel.storage.sql import listen
from carrel.storage.sql.listen import Listener
from tests.storage.test_listening import Diary
from tests.storage.test_locking import SteppingClock

if TYPE_CHECKING:
    import psycopg


class Silent:
    """A connection on which nothing comes, and whose driver asks in vain that the query be cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gives_up = asyncio.Event()
        self.closed = asyncio.Event()

    async def execute(self, *_: object) -> None:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.gives_up.wait()

    async def close(self) -> None:
        self.closed.set()


async def test_its_connection_is_replaced_before_the_driver_has_given_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_PROOF_INTERVAL", "_UNWIND"):
        monkeypatch.setattr(listen, name, 0.001)
    clock, diary, lines = SteppingClock(), Diary(), [Silent(), Silent()]
    left = iter(lines)

    async def connect() -> psycopg.AsyncConnection[Any]:
        return cast("psycopg.AsyncConnection[Any]", next(left))

    listening = asyncio.create_task(Listener(connect, "me", clock, lambda: 0.5, diary).run())
    async with asyncio.timeout(20):
        await lines[0].asked.wait()
        clock.seconds += 3
        await lines[1].asked.wait()
    assert lines[0].closed.is_set()
    assert diary.states == ["lost"]
    for line in lines:
        line.gives_up.set()
    listening.cancel()
    await asyncio.wait((listening,))
    assert listening.cancelled()
