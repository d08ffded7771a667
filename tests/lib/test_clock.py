"""Moments as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.lib.clock import isoformat, parse_iso

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1_800_000_000, "2027-01-15T08:00:00.000000Z"),
        (1_800_000_000.25, "2027-01-15T08:00:00.250000Z"),
        (59.9999994, "1970-01-01T00:00:59.999999Z"),
        (59.9999996, "1970-01-01T00:01:00.000000Z"),
        (86399.9999999, "1970-01-02T00:00:00.000000Z"),
        (-0.5, "1969-12-31T23:59:59.500000Z"),
    ],
)
def test_moments_are_written_to_the_microsecond(moment: float, text: str) -> None:
    assert isoformat(moment) == text


@given(st.floats(min_value=-1e10, max_value=1e11))
def test_what_is_written_is_the_moment(moment: float) -> None:
    written = EPOCH + timedelta(seconds=moment)
    assert isoformat(moment) == written.replace(tzinfo=None).isoformat("T", "microseconds") + "Z"
    assert parse_iso(isoformat(moment)) == written.timestamp()
