"""Tells the hub when the server was last used, so that idle servers can be stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from carrel_client.auth.hub import HubRefused, HubUnreachable, Log

_JITTER = 0.1
_RETRY_SECONDS = 60.0
_LONGEST_PAUSE = 15.0

Report = Callable[[str], Awaitable[None]]


class ActivityReporter:
    """Reports the server's last activity at once and then at every interval in which something happened."""

    def __init__(
        self, report: Report, last_activity: Callable[[], datetime], interval: float, log: Log
    ) -> None:
        self._report = report
        self._last_activity = last_activity
        self._interval = interval
        self._log = log
        self._reported: datetime | None = None

    async def run(self) -> None:
        """Report until cancelled. Starting counts as activity; a hub that is away is asked again later."""
        while True:
            moment = self._last_activity()
            if self._reported is None or moment > self._reported:
                await self._report_with_retries(moment)
            await asyncio.sleep(self._interval * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311

    async def _report_with_retries(self, moment: datetime) -> None:
        text = moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        pause = 1.0
        try:
            async with asyncio.timeout(_RETRY_SECONDS):
                while not await self._reaches_hub(text):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            self._log.warning("The hub does not take reports of activity; trying again later")
        except HubRefused as problem:
            self._log.error("The hub refuses a report of activity: %s", problem)
        else:
            self._reported = moment

    async def _reaches_hub(self, text: str) -> bool:
        try:
            await self._report(text)
        except HubUnreachable as problem:
            self._log.debug("Reporting activity failed: %s", problem)
            return False
        return True
