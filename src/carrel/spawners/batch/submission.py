"""Making a job's script and submitting it."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from carrel.spawners.batch import script
from carrel.spawners.batch.asking import Asking
from carrel.spawners.batch.jobs import Job, JobState, Unclear
from carrel.spawners.batch.running import first_line
from carrel.spawners.errors import StartError

#: How often what was submitted is looked for by name when the answer was lost, and after how many seconds.
_LOOKS, _LOOK_EVERY = 3, 1.0
_JOB_ID = re.compile(r"[A-Za-z0-9][\w.\[\]-]*", re.ASCII)


def checked_id(text: str) -> str:
    """Return the id of a job, nothing for what cannot be one."""
    return text if _JOB_ID.fullmatch(text) else ""


class Submission(Asking):
    """The part of a driver that submits."""

    cmd: Any
    get_args: Callable[[], list[str]]
    port: Any
    _is_mine: Callable[[Job], bool]

    async def _submit(self) -> str:
        values = self._values()
        text = script.render(f"c.{type(self).__name__}.batch_script", str(self.batch_script), values)
        await self._write_environment(values)
        try:
            ran = await self._as_owner(self.batch_submit_cmd, "batch_submit_cmd", text)
        except Unclear as error:
            return await self._find_submitted(str(error))
        if ran.status:
            return await self._find_submitted(ran.words or f"status {ran.status}")
        try:
            job_id = self.parse_job_id(ran.out)
        except (ValueError, IndexError):
            job_id = ""
        if not checked_id(job_id):
            return await self._find_submitted(f"its answer has no number of a job: {first_line(ran.out)}")
        return job_id

    async def _find_submitted(self, problem: str) -> str:
        """Return the job all the same, if it is there: the answer may have been lost. Raises StartError."""
        if self._may_be_there(problem):
            for _ in range(_LOOKS):
                try:
                    jobs = await self.list_named()
                except Unclear:
                    jobs = {}
                for job in jobs.values():
                    if self._is_mine(job) and job.state in (JobState.PENDING, JobState.RUNNING):
                        return job.id
                await asyncio.sleep(_LOOK_EVERY)
        raise StartError(f"The {self.system} did not take the job: {problem.strip()}")

    def _may_be_there(self, problem: str) -> bool:
        return bool(re.search(r"answer|[Tt]im(?:ed|e) ?out|time-out", problem))

    def parse_job_id(self, output: str) -> str:
        """Return the job that a submission's output names; raises ValueError or IndexError."""
        return output

    async def _write_environment(self, values: Mapping[str, Any]) -> None:
        """Put the variables into a file of the owner's, for systems that would show them to everybody."""
        if "environment_file" not in str(self.batch_script):
            return
        place = shlex.quote(str(values["environment_file"]))
        write = f"/bin/sh -c {shlex.quote(f'umask 077 && rm -f {place} && cat > {place}')}"
        ran = await self._run(f"{self._prefix()} {write}".strip(), str(values["exports"]), expanded=True)
        if ran.status:
            raise StartError(
                f"The file with the server's variables cannot be written: {first_line(ran.words)}"
            )

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = self.get_req_subvars()
        values |= {"job_name": self.job_name, "server_id": str(self.server_id)}
        values["log_file"] = self._log_path(values)
        values["environment_file"] = f"{values['homedir']}/.{self.job_name}.env"
        values["exports"] = script.exports(self.get_env() | self.run_labels())
        values["cmd"] = self.cmd_formatted_for_batch()
        return values

    def _log_path(self, values: Mapping[str, Any]) -> str:
        return script.render(f"c.{type(self).__name__}.log_file", self.log_file, values)

    def cmd_formatted_for_batch(self) -> str:
        """Return the command line that the script runs; `cmd` is the administrator's, and taken as it is."""
        wrapper = [] if self.port else [self.batchspawner_singleuser_cmd]
        return " ".join([*wrapper, *(self.cmd or []), *map(shlex.quote, self.get_args())])
