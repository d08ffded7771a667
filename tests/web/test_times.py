"""Moments and lengths of time, as people say them."""

from __future__ import annotations

import pytest

from carrel.web.times import duration, in_words, when

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (29, "just now"),
        (60, "1 minute ago"),
        (3599, "1 hour ago"),
        (7200, "2 hours ago"),
        (86400 * 3.5, "3 days ago"),
        (86400 * 60, "2026-11-16"),
        (-10, "in a moment"),
        (-3599.9, "in 1 hour"),
        (-86400 * 30, "in 30 days"),
        (-86400 * 365, "2028-01-15"),
    ],
)
def test_a_moment_in_words(seconds: float, said: str) -> None:
    assert in_words(NOW - seconds, NOW) == said


def test_the_exact_time_is_there_for_programs() -> None:
    assert when(NOW, NOW) == (
        '<time datetime="2027-01-15T08:00:00+00:00" title="2027-01-15 08:00 UTC">just now</time>'
    )
    assert when(None, NOW) == "never"
    assert when(None, NOW, "<never>") == "&lt;never&gt;"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3600, "1 hour"), (604800, "7 days"), (90, "90 seconds"), (1, "1 second"), (120, "2 minutes")],
)
def test_a_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said
