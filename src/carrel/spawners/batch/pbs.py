"""PBS (OpenPBS, PBS Professional) and Torque."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from traitlets import Unicode

from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear
from carrel.spawners.batch.names import Naming
from carrel.spawners.batch.regexes import RegexStates

_PBS_SCRIPT = """#!/bin/sh
#PBS -N {{job_name}}
#PBS -j oe
#PBS -o {{log_file}}
#PBS -r n
{% if queue or host %}#PBS -q {{queue}}{% if host %}@{{host}}{% endif %}
{% endif %}{% if account %}#PBS -A {{account}}
{% endif %}{% if runtime %}#PBS -l walltime={{runtime}}
{% endif %}#PBS -l select=1:ncpus={{nprocs or 1}}{% if memory %}:mem={{memory}}{% endif %}\
{% if ngpus %}:ngpus={{ngpus}}{% endif %}
{% if options %}#PBS {{options}}
{% endif %}
{{exports}}
cd {{homedir}}
{{prologue}}
{{cmd}}
status=$?
{{epilogue}}
exit $status
"""
_TORQUE_SCRIPT = _PBS_SCRIPT.replace(
    """#PBS -l select=1:ncpus={{nprocs or 1}}{% if memory %}:mem={{memory}}{% endif %}\\
{% if ngpus %}:ngpus={{ngpus}}{% endif %}
""",
    """#PBS -l nodes=1:ppn={{nprocs or 1}}{% if ngpus %}:gpus={{ngpus}}{% endif %}
{% if memory %}#PBS -l mem={{memory}}
{% endif %}""",
)
_WORDS: Mapping[str, JobState] = {
    "Q": JobState.PENDING,
    "H": JobState.PENDING,
    "W": JobState.PENDING,
    "T": JobState.PENDING,
    "M": JobState.PENDING,
    "R": JobState.RUNNING,
    "B": JobState.RUNNING,
    "S": JobState.RUNNING,
    "U": JobState.RUNNING,
    "E": JobState.RUNNING,
    "F": JobState.ENDED,
    "X": JobState.ENDED,
    "C": JobState.ENDED,
}
#: PBS's own reasons for an end without a status of the program's.
_ENDINGS: Mapping[int, str] = {-29: "job exceeded walltime limit", -27: "job exceeded mem limit"}
_TIME = "%a %b %d %H:%M:%S %Y"


class _PbsFamily(RegexStates, BatchSpawnerBase):
    """What PBS and Torque have in common: commands, and how `qstat -f` writes."""

    client_variables: ClassVar[tuple[str, ...]] = ("PBS_",)
    # Torque and old releases of PBS take fifteen characters.
    naming: ClassVar[Naming] = Naming("c", 6)
    gone_re: ClassVar[str] = (
        r"Unknown Job Id|Unknown Job ID|Job has finished|Request invalid for state of job"
    )
    listing: ClassVar[tuple[str, ...]]
    """The command that tells of jobs, and of ended ones too where it can."""

    batch_submit_cmd = Unicode(
        "qsub -N {job_name}", help="The command that submits a script from its input."
    ).tag(config=True)
    batch_cancel_cmd = Unicode("qdel {job_id}", help="The command that ends {job_id}.").tag(config=True)

    async def list_jobs(self, ids: Collection[str]) -> Jobs:
        """Return what is known of these jobs."""
        ran = await self._ask(*self.listing, *sorted(ids))
        jobs = {job.id: job for job in self._read_all(ran.out)}
        # It complains of each job that is gone, and tells of the others all the same.
        problems = [line for line in ran.error.splitlines() if line and not re.search(self.gone_re, line)]
        if ran.status and (problems or not ran.words):
            raise Unclear(problems[0] if problems else f"status {ran.status}")
        return {job_id: found for job_id in ids if (found := _of(jobs, job_id))}

    async def list_named(self) -> Jobs:
        """Return all jobs that wait or run."""
        ran = await self._ask("qstat", "-f")
        if ran.status:
            raise Unclear(ran.words[:300])
        return {job.id: job for job in self._read_all(ran.out) if job.state is not JobState.ENDED}

    def parse_job_id(self, output: str) -> str:
        """Return the last line: the job's id with its server."""
        return output.splitlines()[-1].strip()

    def _read_all(self, text: str) -> Iterator[Job]:
        # Long values go on in the next line, behind a tab.
        for block in re.split(r"^Job Id: ?", text.replace("\n\t", ""), flags=re.MULTILINE)[1:]:
            job_id, _, rest = block.partition("\n")
            yield self._read(job_id.strip(), dict(re.findall(r"^ {2,}([\w.]+) = (.*)$", rest, re.MULTILINE)))

    def _read(self, job_id: str, facts: Mapping[str, str]) -> Job:
        word = facts.get("job_state", "")
        if word not in _WORDS:
            raise Unclear(f"qstat said that the state of {job_id} is {word!r:.20}")
        state = _WORDS[word]
        status = int(facts["Exit_status"]) if re.fullmatch(r"-?\d+", facts.get("Exit_status", "")) else None
        reason = facts.get("comment", "").removeprefix("Not Running: ")
        if state is JobState.ENDED:
            reason = _ENDINGS.get(status or 0, reason)
        return Job(
            job_id,
            state,
            word="" if state is JobState.ENDED else word,
            host=self.resolve_host(re.split(r"[/:*]", facts.get("exec_host", ""))[0]),
            reason=reason,
            queue=facts.get("queue", ""),
            name=facts.get("Job_Name", ""),
            user=facts.get("Job_Owner", "").partition("@")[0],
            expected=_moment(facts.get("estimated.start_time", "")),
            status=status,
        )


class PBSSpawner(_PbsFamily):
    """Starts servers as jobs of OpenPBS or PBS Professional."""

    system: ClassVar[str] = "PBS"
    listing: ClassVar[tuple[str, ...]] = ("qstat", "-x", "-f")
    batch_script: Any = Unicode(_PBS_SCRIPT, help="The template of the job's script.").tag(config=True)
    batch_query_cmd = Unicode("qstat -fx {job_id}", help="The command that tells of {job_id}.").tag(
        config=True
    )
    state_pending_re = Unicode(r"job_state = [QHWTM]", help="Says: waits.").tag(config=True)
    state_running_re = Unicode(r"job_state = [RBSUE]", help="Says: runs.").tag(config=True)
    state_exechost_re = Unicode(r"exec_host = ([\w.-]+)/", help="Says where it runs.").tag(config=True)


class TorqueSpawner(_PbsFamily):
    """Starts servers as jobs of Torque."""

    system: ClassVar[str] = "Torque"
    listing: ClassVar[tuple[str, ...]] = ("qstat", "-f")
    batch_script: Any = Unicode(_TORQUE_SCRIPT, help="The template of the job's script.").tag(config=True)
    batch_query_cmd = Unicode("qstat -x {job_id}", help="The command that tells of {job_id}.").tag(
        config=True
    )
    state_pending_re = Unicode(r"<job_state>[QHWT]</job_state>", help="Says: waits.").tag(config=True)
    state_running_re = Unicode(r"<job_state>[RE]</job_state>", help="Says: runs.").tag(config=True)
    state_exechost_re = Unicode(r"<exec_host>((?:[\w_-]+\.?)+)/\d+", help="Says where it runs.").tag(
        config=True
    )


def _of(jobs: Jobs, job_id: str) -> Job | None:
    """Return a job by its id, which may be written with the server's whole name or with its first part."""
    number = job_id.partition(".")[0]
    return jobs.get(job_id) or next(
        (job for job in jobs.values() if job.id.partition(".")[0] == number), None
    )


def _moment(text: str) -> float | None:
    try:
        return time.mktime(time.strptime(text.strip(), _TIME))
    except ValueError:
        return None
