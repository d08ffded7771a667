"""Ending what a start made after its row had gone on without it."""

from __future__ import annotations

import asyncio
import logging

from carrel.core.context import HubContext
from carrel.core.servers import server_path, wait_until_settled
from carrel.domain.servers import Actual, Server
from carrel.lifecycle import drive
from carrel.lifecycle.stop import CALL_LIMIT, DEADLINE
from carrel.spawners.base import Spawner

#: How often it is tried, in seconds.
_EVERY = 15.0
_log = logging.getLogger("carrel.lifecycle")


class Undoer:
    """Waits for what becomes of each row, for one hub process; `tasks` are under way."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self.tasks: set[asyncio.Task[None]] = set()

    def later(self, row: Server, driver: Spawner) -> None:
        """End what the start of `row` made, once the row has settled; whoever adopted it keeps it."""
        task = asyncio.create_task(self._undo(row, driver), name=f"undoing a start of server {row.id}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _undo(self, row: Server, driver: Spawner) -> None:
        while True:
            try:
                current = await wait_until_settled(self._ctx, row, DEADLINE)
                if _is_under_way(row, current):
                    continue
                if _is_kept(row, driver, current):
                    return
                await drive.stop(driver, now=True, limit=CALL_LIMIT)
                _log.warning("A start of %s that came too late was undone", server_path(self._ctx, row))
                return
            except Exception:
                path = server_path(self._ctx, row)
                _log.exception("A start of %s came too late and cannot be undone yet", path)
                await asyncio.sleep(_EVERY)


def _is_under_way(row: Server, current: Server | None) -> bool:
    """Tell whether somebody else goes on with the start of `row`: it may wait in a queue for days."""
    return current is not None and current.generation == row.generation and current.actual is Actual.STARTING


def _is_kept(row: Server, driver: Spawner, current: Server | None) -> bool:
    """Tell whether what the start of `row` made belongs to the row as it is now.

    It was adopted; or a newer run has what this one's driver knows it by, as where drivers go by names.
    """
    if current is None:
        return False
    if current.generation == row.generation:
        return current.actual is Actual.RUNNING
    return current.active and drive.state_of(driver, {}) in ({}, current.state)
