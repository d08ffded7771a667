"""What is being done to servers right now: one task for each, and how such a task is ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from carrel.domain.transitions import Action

#: How long a task may take to end once it is cancelled, before the next one begins beside it, in seconds.
PATIENCE = 4.0
#: A stop that has taken too long is interrupted, though not in its first seconds: it has just been forced.
_FRESH = 5.0
_log = logging.getLogger("carrel.lifecycle")


@dataclass(slots=True, eq=False)
class _Job:
    action: Action
    task: asyncio.Task[None]
    since: float
    interrupted: bool = False


class Desk:
    """At most one job for each server. `ended` is called with the server's id and what the job raised."""

    def __init__(self, ended: Callable[[int, Action, BaseException | None], None]) -> None:
        self._ended = ended
        self._jobs: dict[int, _Job] = {}
        self._left: set[asyncio.Task[None]] = set()

    def is_busy(self, server_id: int) -> bool:
        """Tell whether there is a job for a server."""
        return server_id in self._jobs

    def begin(self, server_id: int, action: Action, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as the job of a server that has none."""
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work, name=f"{action} of server {server_id}")
        job = self._jobs[server_id] = _Job(action, task, loop.time())
        task.add_done_callback(lambda done: self._done(server_id, job))

    def is_outdated(self, server_id: int, action: Action) -> bool:
        """Tell whether the job of a server stands in the way of `action`."""
        job = self._jobs[server_id]
        match action:
            case Action.STOP | Action.DELETE:
                return job.action is Action.POLL
            case Action.CANCEL | Action.ABORT:
                return job.action in (Action.START, Action.RECOVER)
            case Action.FORCE:
                return asyncio.get_running_loop().time() - job.since > _FRESH
        return False

    def interrupt(self, server_id: int) -> None:
        """Cancel the job of a server; one that does not end even so is left to itself after a while."""
        job = self._jobs[server_id]
        if not job.interrupted:
            job.interrupted = True
            job.task.cancel()
            asyncio.get_running_loop().call_later(PATIENCE, self._leave, server_id, job)

    async def clear(self) -> None:
        """Cancel everything and wait for it, though not for what does not end."""
        tasks = {job.task for job in self._jobs.values()} | self._left
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)

    def _leave(self, server_id: int, job: _Job) -> None:
        if self._jobs.get(server_id) is job:
            _log.error("%s does not end and is left to itself", job.task.get_name())
            self._left.add(job.task)
            del self._jobs[server_id]
            self._ended(server_id, job.action, None)

    def _done(self, server_id: int, job: _Job) -> None:
        self._left.discard(job.task)
        error = None if job.task.cancelled() else job.task.exception()
        if self._jobs.get(server_id) is job:
            del self._jobs[server_id]
            self._ended(server_id, job.action, error)
