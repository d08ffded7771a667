"""IBM Spectrum LSF."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from traitlets import Unicode

from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear

# `bjobs -l` shows the script to everybody, and not the environment, which bsub takes along by itself.
_SCRIPT = """#!/bin/sh
#BSUB -J {{job_name}}
#BSUB -oo {{log_file}}
#BSUB -cwd {{homedir}}
#BSUB -R "span[hosts=1]"
#BSUB -rn
{% if queue %}#BSUB -q {{queue}}
{% endif %}{% if account %}#BSUB -P {{account}}
{% endif %}{% if runtime %}#BSUB -W {{runtime}}
{% endif %}{% if memory %}#BSUB -M {{memory}}
{% endif %}{% if nprocs %}#BSUB -n {{nprocs}}
{% endif %}{% if ngpus %}#BSUB -gpu num={{ngpus}}
{% endif %}{% if options %}#BSUB {{options}}
{% endif %}
{{prologue}}
{{cmd}}
status=$?
{{epilogue}}
exit $status
"""
_WORDS: Mapping[str, JobState] = {
    "PEND": JobState.PENDING,
    "PSUSP": JobState.PENDING,
    "WAIT": JobState.PENDING,
    "PROV": JobState.PENDING,
    "RUN": JobState.RUNNING,
    "USUSP": JobState.RUNNING,
    "SSUSP": JobState.RUNNING,
    "DONE": JobState.ENDED,
    "EXIT": JobState.ENDED,
}
_FIELDS = "jobid stat exec_host job_name user queue exit_code exit_reason pend_reason delimiter='|'"


class LsfSpawner(BatchSpawnerBase):
    """Starts servers as jobs of LSF."""

    system: ClassVar[str] = "LSF"
    client_variables: ClassVar[tuple[str, ...]] = ("LSF_", "LSB_", "EGO_")
    gone_re: ClassVar[str] = r"Job <[^>]*> is not found|Job has already finished|No matching job found"

    batch_script: Any = Unicode(_SCRIPT, help="The template of the job's script.").tag(config=True)
    batch_submit_cmd = Unicode("bsub", help="The command that submits a script from its input.").tag(
        config=True
    )
    batch_query_cmd = Unicode(
        'bjobs -a -noheader -o "STAT EXEC_HOST" {job_id}', help="The command that tells of {job_id}."
    ).tag(config=True)
    batch_cancel_cmd = Unicode("bkill {job_id}", help="The command that ends {job_id}.").tag(config=True)

    def parse_job_id(self, output: str) -> str:
        """Return the number in `Job <12> is submitted to queue <normal>.`"""
        found = re.search(r"Job <(\d+)> is submitted", output)
        if found is None:
            raise ValueError("there is no number")
        return found[1]

    def read_query(self, text: str) -> Job | None:
        """Return the job by its state and machine."""
        word, _, host = (text.splitlines() or [""])[-1].strip().partition(" ")
        return self._made(self.job_id, word.upper(), host.strip()) if word else None

    async def list_jobs(self, ids: Collection[str]) -> Jobs:
        """Return what is known of these jobs; those that have ended are known for an hour."""
        return await self._bjobs("-a", *sorted(ids))

    async def list_named(self) -> Jobs:
        """Return all jobs that wait or run."""
        return await self._bjobs()

    async def _bjobs(self, *words: str) -> Jobs:
        ran = await self._ask("bjobs", "-u", "all", "-noheader", "-o", _FIELDS, *words)
        problems = [line for line in ran.error.splitlines() if line and not re.search(_NOTHING, line)]
        problems = [line for line in problems if not re.search(self.gone_re, line)]
        if problems or (ran.status and not ran.words):
            raise Unclear(problems[0] if problems else f"status {ran.status}")
        return {job.id: job for job in map(self._read, filter(None, ran.out.splitlines()))}

    def _read(self, line: str) -> Job:
        parts = [part.strip() for part in line.split("|", 8)]
        if len(parts) != 9:
            raise Unclear(f"bjobs said {line[:100]!r}")
        job_id, word, host, name, user, queue, code, ending, pending = (
            "" if part == "-" else part for part in parts
        )
        job = self._made(job_id, word, host)
        reason = ending if job.state is JobState.ENDED else pending
        status = int(code) if code.isdecimal() else (0 if word == "DONE" else None)
        return Job(job_id, job.state, word, job.host, reason, queue, name, user, status=status)

    def _made(self, job_id: str, word: str, host: str) -> Job:
        # ZOMBI and UNKWN: its machine does not answer.
        if word not in _WORDS:
            raise Unclear(f"bjobs said that the state of {job_id} is {word!r:.20}")
        first = host.partition(":")[0].rpartition("*")[2].strip()
        return Job(job_id, _WORDS[word], word, "" if first == "-" else first)


_NOTHING = r"No (?:unfinished |pending |matching )?job(?:s)? found|No unfinished job found"
