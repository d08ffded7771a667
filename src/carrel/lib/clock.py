"""The clock that every timeout, expiry and timestamp asks; tests and the simulator bring their own."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

#: Seconds since 1970-01-01 UTC, as a float: what records and tables hold.
Timestamp = float
#: In UTC, as everything here.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - see above
#: Seconds of a minute that are the next one's when they are written.
_ROUNDED_UP = 59.9999995


class Clock(Protocol):
    """Time as the hub sees it."""

    def now(self) -> Timestamp:
        """Return wall time in seconds since the epoch; may jump."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring durations."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Timestamp:
        return time.time()  # noqa: TID251 - the one place that may

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def isoformat(moment: Timestamp) -> str:
    """Return `moment` as JupyterHub writes it: UTC, microseconds, `Z`."""
    # A page of users has hundreds of moments, most of them of days that were written before.
    minutes, seconds = divmod(moment, 60)
    if seconds >= _ROUNDED_UP:
        return (_EPOCH + timedelta(seconds=moment)).isoformat("T", "microseconds") + "Z"
    day, minute = divmod(int(minutes), 1440)
    # An f-string takes longer for the seconds.
    return "%s%s%09.6fZ" % (_day(day), _minute(minute), seconds)  # noqa: UP031


@lru_cache(4096)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()[:11]


@lru_cache(1440)
def _minute(number: int) -> str:
    return f"{number // 60:02}:{number % 60:02}:"


def parse_iso(text: str) -> Timestamp:
    """Return the moment that an ISO 8601 string names; without an offset it is UTC.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
