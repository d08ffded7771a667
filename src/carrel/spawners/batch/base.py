"""Servers as jobs of a batch system, by its commands: submit, ask, cancel.

A job is submitted with the rights of its owner. It waits in the queue for as long as it takes, tells the hub
which port it has chosen, outlives the hub, and is found again by its name. What the commands do not say
clearly is not known, and nothing is ended because a question failed.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shlex
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from carrel.spawners.base import Spawner
from carrel.spawners.batch.board import Remembered
from carrel.spawners.batch.form import options_form
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear
from carrel.spawners.batch.running import first_line
from carrel.spawners.batch.submission import Submission, checked_id
from carrel.spawners.batch.values import CHOOSABLE, check_choice, check_offered
from carrel.spawners.errors import StartError
from carrel.spawners.reports import Orphan, Waiting

#: A job that waits is left between two looks for so many seconds at most.
_LONGEST_PAUSE = 15.0
#: How often all jobs are looked through for those without a row, in seconds.
_LISTED_EVERY = 30.0
_STOP_LIMIT = 40.0
_LOG_SIZE = 200_000


class BatchSpawnerBase(Submission, Spawner):
    """What all batch systems have in common."""

    _chose_port: bool = False

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self._spoke = asyncio.Event()

    # The checkpoint

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint, of batchspawner's too."""
        super().load_state(state)
        self.job_id = checked_id(str(state.get("job_id") or ""))
        self.server.ip, self.server.port = str(state.get("ip") or ""), int(state.get("port") or 0)
        self._job = None
        if self.job_id and state.get("queued"):
            self._job = Job(self.job_id, JobState.PENDING)

    def get_state(self) -> dict[str, Any]:
        """Return the job, whether it waits, and where it listens."""
        state = super().get_state()
        if self.job_id:
            state |= {"job_id": self.job_id}
            if self._job is not None and self._job.state is JobState.PENDING:
                state |= {"queued": True}
            if self.server.port:
                state |= {"ip": self.server.ip, "port": self.server.port}
        return state

    def clear_state(self) -> None:
        """Forget the job."""
        super().clear_state()
        self.job_id, self._job = "", None
        self._spoke.clear()
        if self._chose_port:
            self.port, self._chose_port = 0, False

    # Start, poll, stop

    async def start(self) -> tuple[str, int]:
        """Submit the job and return where it listens once it does; raises StartError when it cannot be."""
        self._job, self.server.port = None, 0
        try:
            self.job_id = await self._submit()
        except asyncio.CancelledError:
            # It may be there all the same: whoever looks for it must not be told what was so before.
            self._names().doubt()
            raise
        await self.save_state()
        return await self._until_it_listens()

    async def resume_start(self) -> tuple[str, int] | None:
        """Wait on for a job that was submitted before the hub ended."""
        return await self._until_it_listens() if self.job_id else None

    def heard(self, port: int) -> None:
        """Take up which port the job has chosen on its machine."""
        if not self.port:
            self.port, self._chose_port = port, True
            self._spoke.set()

    async def poll(self) -> int | None:
        """Return None while the job waits, runs, or cannot be asked after; else its exit status."""
        if not self.job_id:
            return 0
        try:
            job = await self._look()
        except Unclear as error:
            self.log.warning("Job %s of %s cannot be asked after: %s", self.job_id, self._log_name, error)
            return None
        if job.state in (JobState.PENDING, JobState.RUNNING):
            return None
        return job.status if job.status is not None else 1

    async def stop(self, now: bool = False) -> None:
        """Cancel the job and return when it is gone; raises RuntimeError when that cannot be known."""
        if not self.job_id:
            return
        try:
            async with asyncio.timeout(_STOP_LIMIT):
                await self._cancel()
                while (await self._look(now=True)).state in (JobState.PENDING, JobState.RUNNING):
                    await asyncio.sleep(self.startup_poll_interval)
        except Unclear as error:
            raise RuntimeError(f"Job {self.job_id} cannot be ended: {error}") from error
        except TimeoutError:
            raise RuntimeError(f"Job {self.job_id} does not end") from None

    async def _cancel(self) -> None:
        ran = await self._as_owner(self.batch_cancel_cmd, "batch_cancel_cmd")
        if ran.status and not re.search(self.gone_re, ran.words):
            raise Unclear(first_line(ran.words) or f"status {ran.status}")

    async def _until_it_listens(self) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        began, told = loop.time(), False
        while True:
            try:
                job = await self._look(now=self._spoke.is_set())
                told = False
            except Unclear as error:
                if not told:
                    self.log.warning(
                        "Job %s of %s cannot be asked after: %s", self.job_id, self._log_name, error
                    )
                told, job = True, None
            if job is not None and job.state not in (JobState.PENDING, JobState.RUNNING):
                raise StartError(self._ending(job))
            if job is not None and job.state is JobState.RUNNING and job.host:
                began = loop.time()
                if self.port:
                    self.server.ip, self.server.port = job.host, self.port
                    return job.host, self.port
            waited = (loop.time() - began) / 50
            await self._pause(min(max(self.startup_poll_interval, waited), _LONGEST_PAUSE))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not on when the job has just told its port."""
        if self._spoke.is_set():
            await asyncio.sleep(self.startup_poll_interval)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._spoke.wait()
        except TimeoutError:
            return

    def _ending(self, job: Job) -> str:
        """Say how a job has ended, so that the causes recognise it."""
        what = "is held" if job.state is JobState.STUCK else "has ended"
        status = f" with status {job.status}" if job.status else ""
        words = ", ".join(word for word in (job.word, job.reason) if word)
        return f"Job {job.id} {what}{status}" + (f": {words}" if words else "")

    # What people see

    async def waiting(self) -> Waiting | None:
        """Return how the job stands in the queue, None when it does not wait."""
        job = self._job
        if job is None or job.state is not JobState.PENDING:
            return None
        try:
            ahead = await self.ahead(job)
        except Unclear:
            ahead = None
        return Waiting(ahead, job.expected, self.explain_wait(job.reason))

    async def queue_position(self) -> int | None:
        """Return how many wait before the job; 0 also when that is not known."""
        waiting = await self.waiting()
        return None if waiting is None else waiting.ahead or 0

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield that it was submitted: the hub tells how it stands in the queue."""
        yield {"progress": 22, "message": f"Submitting a job to {self.system}"}

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines that the job wrote, and how it has ended. Read as its owner."""
        lines: list[str] = []
        if self.log_file:
            path = self._log_path({**self.get_req_subvars(), "server_id": str(self.server_id)})
            command = f"{self._prefix()} tail -c {_LOG_SIZE} -- {shlex.quote(path)}".strip()
            ran = await self._run(command, expanded=True)
            lines = ran.out.splitlines()[-tail:]
        job = self._job
        if job is not None and job.state not in (JobState.PENDING, JobState.RUNNING):
            lines.append(self._ending(job))
        return "\n".join(lines)

    # What runs without a checkpoint

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return the jobs of this hub's, by their names, besides the known runs; raises Unclear."""
        jobs: Jobs = await self._names().get(self.list_named, _LISTED_EVERY)
        keys = {job.id: self.naming.key(self.hub.hub_id, job.name) for job in jobs.values()}
        return [
            Orphan(*key, {"job_id": job_id}, user_name=jobs[job_id].user)
            for job_id, key in keys.items()
            if key is not None and key not in known
        ]

    def _names(self) -> Remembered:
        """Return what all jobs are called, as far as that was asked lately."""
        return self.in_common("names", Remembered)

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over a job that has this run's name and is its owner's: names are anybody's to choose."""
        job_id = str(orphan.state.get("job_id", ""))
        job = (await self.list_named()).get(job_id)
        if job is None or not self._is_mine(job):
            return False
        self.load_state({"job_id": job_id, "queued": job.state is JobState.PENDING})
        return True

    def _is_mine(self, job: Job) -> bool:
        account = self.req_username if self.exec_prefix else pwd.getpwuid(os.geteuid()).pw_name
        return job.name == self.job_name and job.user == account

    # What people choose

    async def get_options_form(self) -> str:
        """Return the deployer's form, or one of the requirements that may be chosen."""
        if self.options_form or not self.req_choices:
            return await super().get_options_form()
        present = {name: str(getattr(self, f"req_{name}", "")) for name in self.req_choices}
        return options_form(self.req_choices, present)

    async def run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """Apply what was chosen to the requirements; raises ValueError, which names what may not be."""
        await super().run_apply_user_options(user_options)
        if self.apply_user_options:
            return
        for name, value in user_options.items():
            if name not in CHOOSABLE or not self.has_trait(f"req_{name}"):
                continue
            if name not in self.req_choices and not self.options_form:
                raise ValueError(f"{name} cannot be chosen here")
            text, offered = check_choice(name, value), self.req_choices.get(name, True)
            if isinstance(offered, list | tuple):
                text = check_offered(name, text, list(map(str, offered)))
            setattr(self, f"req_{name}", text)
