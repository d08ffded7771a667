"""A short outage is waited for, a long one is told at once, and nobody asks a dead server all the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from carrel.storage.base import StorageUnavailable
from carrel.storage.sql.outage import Outage
from tests.storage.test_locking import SteppingClock


def server(clock: SteppingClock, is_up: Callable[[float], bool], asked: list[float]) -> Callable[[], object]:
    async def connect() -> str:
        asked.append(clock.seconds)
        if not is_up(clock.seconds):
            raise StorageUnavailable("refused")
        return "connection"

    return connect


async def sit_out(outage: Outage, connect: Callable[[], object]) -> object:
    return await outage.sit_out(connect)  # type: ignore[arg-type]


async def test_a_restart_is_waited_for() -> None:
    clock, asked = SteppingClock(), list[float]()
    connect = server(clock, lambda now: now >= 2, asked)
    assert await sit_out(Outage(clock, lambda: 0.5), connect) == "connection"
    assert 2 <= clock.seconds < 2.2
    assert len(asked) == pytest.approx(21, abs=2)


async def test_a_long_outage_is_told_and_asked_about_twice_a_second() -> None:
    clock, asked = SteppingClock(), list[float]()
    outage = Outage(clock, lambda: 0.5)
    connect = server(clock, lambda now: False, asked)
    with pytest.raises(StorageUnavailable, match="refused"):
        await sit_out(outage, connect)
    assert 5 <= clock.seconds < 5.2
    asked.clear()
    for _ in range(100):
        with pytest.raises(StorageUnavailable, match="refused"):
            await sit_out(outage, connect)
        clock.seconds += 0.02
    assert len(asked) == pytest.approx(4, abs=1)


async def test_patience_is_fresh_after_the_server_came_back() -> None:
    clock, asked = SteppingClock(), list[float]()
    outage, up = Outage(clock, lambda: 0.5), [(7.0, 10.0), (12.0, 99.0)]
    connect = server(clock, lambda now: any(begin <= now < end for begin, end in up), asked)
    with pytest.raises(StorageUnavailable):
        await sit_out(outage, connect)
    clock.seconds = 8
    assert await sit_out(outage, connect) == "connection"
    clock.seconds = 10.5
    assert await sit_out(outage, connect) == "connection"
    assert 12 <= clock.seconds < 12.2
