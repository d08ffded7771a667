"""Keeping what servers write from filling the hub's disk."""

from __future__ import annotations

import asyncio
import logging

from carrel.core.context import HubContext
from carrel.core.runs import log_directory
from carrel.spawners.logfiles import bound_logs

_INTERVAL = 2.0
_log = logging.getLogger("carrel.lifecycle")


class LogKeeper:
    """Bounds the logs in the directory of one hub process."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.look()
            except OSError as error:
                _log.error("The logs of servers cannot be kept short: %s", error)

    async def look(self) -> None:
        """Bound each log that is too long; may be repeated."""
        largest = self._ctx.settings.server_log_size
        if largest > 0:
            await asyncio.to_thread(bound_logs, log_directory(self._ctx), largest)
