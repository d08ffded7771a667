"""Pauses that grow with each failure of the same key, up to a limit, and shrink by chance."""

from __future__ import annotations

from carrel.lib.backoff import Backoff
from carrel.testing.clock import FakeClock


async def test_pauses_double_up_to_the_longest() -> None:
    backoff: Backoff[str] = Backoff(1, 30, lambda: 0)
    assert [backoff.fail("a") for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.fail("b") == 1
    backoff.clear("a")
    assert backoff.fail("a") == 1


async def test_it_goes_on_for_as_long_as_things_fail() -> None:
    backoff: Backoff[str] = Backoff(1, 30, lambda: 0)
    assert {backoff.fail("a") for _ in range(5000)} == {1, 2, 4, 8, 16, 30}


async def test_chance_takes_up_to_half_away() -> None:
    for chance, pause in ((0.0, 8.0), (0.5, 6.0), (1.0, 4.0)):
        assert Backoff[str](8, 8, lambda chance=chance: chance).fail("a") == pause  # type: ignore[misc]


async def test_what_has_waited_may_be_tried() -> None:
    clock = FakeClock()
    with clock.drive():
        backoff: Backoff[str] = Backoff(4, 30, lambda: 0)
        assert backoff.wait("a") == 0
        backoff.fail("a")
        await clock.advance(3)
        assert backoff.wait("a") == 1
        await clock.advance(1)
        assert backoff.wait("a") == 0
        assert len(backoff) == 1
        backoff.clear("a")
        assert len(backoff) == 0
