"""Asking the batch system what has become of jobs."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from carrel.spawners.batch.board import Board
from carrel.spawners.batch.commands import Ran, run
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear
from carrel.spawners.batch.running import BatchCommands, first_line
from carrel.spawners.shared import Closable

T = TypeVar("T", bound=Closable)
#: A job that is not known is looked for once more after so many seconds before it counts as gone.
_CONFIRM = 1.0


class Asking(BatchCommands):
    """The part of a driver that asks."""

    shared: Any
    _job: Job | None = None
    """What was last known of the job."""

    async def _look(self, *, now: bool = False) -> Job:
        """Return what the batch system says of the job; raises Unclear when it says nothing clear."""
        job = await self._known(now=now)
        if job is None:
            job = await self.history()
        if job is None:
            await asyncio.sleep(_CONFIRM)
            job = await self._query() or Job(
                self.job_id, JobState.ENDED, reason=f"the {self.system} does not know it any more"
            )
        self._job = job
        return job

    async def _known(self, *, now: bool) -> Job | None:
        if not self._asks_for_all():
            return await self._query()
        board = self.in_common("board", Board)
        try:
            job = await board.ask(self.job_id, self.list_jobs, self.query_interval, now=now)
        except Unclear:
            if board.works:
                raise
            # Perhaps the hub's own account may not ask: its users may.
            return await self._query()
        return await self._query() if job is None else job

    def _asks_for_all(self) -> bool:
        """Tell whether one question is put for all; a command of the deployer's own is asked for each."""
        own = type(self).batch_query_cmd.default_value
        return type(self).list_jobs is not Asking.list_jobs and self.batch_query_cmd == own

    async def _query(self) -> Job | None:
        ran = await self._as_owner(self.batch_query_cmd, "batch_query_cmd")
        if re.search(self.gone_re, ran.words):
            return None
        if ran.status:
            raise Unclear(first_line(ran.words) or f"status {ran.status}")
        return self.read_query(ran.out)

    def in_common(self, what: str, make: Callable[[], T]) -> T:
        """Return what all drivers of this kind in this hub have in common."""
        return self.shared.get((make, type(self).__name__, what), make)  # type: ignore[no-any-return]

    def read_query(self, text: str) -> Job | None:
        """Return the job that `batch_query_cmd` tells of, None when there is none; raises Unclear."""
        raise NotImplementedError

    async def list_jobs(self, ids: Collection[str]) -> Jobs:
        """Return what is known of these jobs, asked for at once by the hub's own account; raises Unclear."""
        raise NotImplementedError

    async def list_named(self) -> Jobs:
        """Return the jobs that wait or run, with their names and users; raises Unclear."""
        return {}

    async def history(self) -> Job | None:
        """Return how a job has ended that is in no queue any more, None when that is not known."""
        return None

    async def ahead(self, job: Job) -> int | None:
        """Return how many wait before a job, None when that is not known."""
        return None

    def explain_wait(self, reason: str) -> str:
        """Say in plain words why a job waits; `reason` is the batch system's own."""
        return f"The {self.system} says: {reason}." if reason else ""

    async def _ask(self, *words: str, **variables: str) -> Ran:
        """Run a command with the hub's own rights."""
        return await run(words, {**os.environ, **variables}, limit=self.command_timeout)
