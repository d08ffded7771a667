"""Looking at a start that waits in the queue of its back end, maybe for days."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from carrel.core.context import HubContext
from carrel.domain.servers import Server
from carrel.lifecycle import drive
from carrel.lifecycle.patience import Patience
from carrel.lifecycle.progress import say_queued
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Waiting

#: How long a driver may take to say it, in seconds: its checkpoints wait meanwhile.
_LIMIT = 5.0
_log = logging.getLogger("carrel.lifecycle")


@dataclass(slots=True)
class QueueWatch:
    """Keeps the limits, the row and the people who wait up to date with the queue."""

    ctx: HubContext
    row: Server
    driver: Spawner
    patience: Patience
    save: Callable[[], Awaitable[object]]
    """Writes the deadline into the row."""
    step_aside: Callable[[int], None]
    """Lets other starts have the turn of this one, by the server's id."""
    _seen: Waiting | None = None
    _unsaved: bool = False
    """The row has another deadline."""

    async def look(self) -> None:
        """Ask the driver; when it cannot say, everything stays as it is. Raises LeaseLost."""
        if not drive.has_queue(type(self.driver)):
            return
        try:
            waiting = await drive.call(self.driver, "waiting", self.driver.waiting, _LIMIT)
        except Exception as error:
            _log.warning(
                "%s cannot say how %s waits: %s", type(self.driver).__name__, self.driver._log_name, error
            )
            return
        self._unsaved |= self.patience.leave_queue() if waiting is None else self.patience.enter_queue()
        if waiting is not None:
            self.step_aside(self.row.id)
        if self._unsaved:
            await self.save()
            self._unsaved = False
        if waiting is not None or self._seen is not None:
            say_queued(self.ctx, self.row, waiting, before=self._seen)
        self._seen = waiting
