"""Which key signs, which are shown."""

from __future__ import annotations

import pytest

from carrel.domain.signing import SIGNS, SigningKey, new_key_due, shown, signing_key

DAY = 86400.0


def _keys(*days: float) -> list[SigningKey]:
    return [SigningKey(f"made on day {day:g}", "", day * DAY) for day in days]


@pytest.mark.parametrize(
    ("made", "day", "signs", "published"),
    [
        ((), 0, None, []),
        # The very first one cannot wait to be known.
        ((0,), 0, 0, [0]),
        ((0, 90), 90, 0, [0, 90]),
        ((0, 90), 90.99, 0, [0, 90]),
        ((0, 90), 91, 90, [0, 90]),
        ((0, 90), 97.99, 90, [0, 90]),
        ((0, 90), 98, 90, [90]),
        ((0, 90, 180), 180, 90, [90, 180]),
    ],
)
def test_a_key_is_shown_before_and_after_it_signs(
    made: tuple[float, ...], day: float, signs: float | None, published: list[float]
) -> None:
    keys = _keys(*made)
    found = signing_key(keys, day * DAY)
    assert (None if found is None else found.created / DAY) == signs
    assert [key.created / DAY for key in shown(keys, day * DAY)] == published


@pytest.mark.parametrize(
    ("made", "seconds", "due"), [((), 0, True), ((0,), SIGNS - 1, False), ((0,), SIGNS, True)]
)
def test_when_a_key_has_to_be_made(made: tuple[float, ...], seconds: float, due: bool) -> None:
    assert new_key_due(_keys(*made), seconds) is due
