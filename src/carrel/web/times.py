"""Moments, as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup

from carrel.lib.clock import Timestamp

_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"))
_FAR = 60 * 86400.0


def when(moment: Timestamp | None, now: Timestamp, never: str = "never") -> Markup:
    """Return a moment in words, with the exact time for programs and for who points at it."""
    if moment is None:
        return Markup("{}").format(never)
    exact = datetime.fromtimestamp(moment, UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), f"{exact:%Y-%m-%d %H:%M} UTC", in_words(moment, now)
    )


def in_words(moment: Timestamp, now: Timestamp) -> str:
    """Return `5 minutes ago`, `in 2 days`, or the date when it is far away."""
    distance = abs(now - moment)
    if distance >= _FAR:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
    for seconds, unit in _UNITS:
        # Half a minute more, so that an hour from a moment ago is an hour.
        count = int((distance + 30) // seconds)
        if count:
            length = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{length} ago" if moment <= now else f"in {length}"
    return "just now" if moment <= now else "in a moment"


def duration(seconds: float) -> str:
    """Return a length of time: `1 hour`, `7 days`, `90 seconds`."""
    for size, unit in (*_UNITS, (1.0, "second")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
