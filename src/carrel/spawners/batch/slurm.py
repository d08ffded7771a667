"""Slurm."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from traitlets import Dict, Unicode

from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.board import Remembered
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear
from carrel.spawners.batch.regexes import RegexStates

_SCRIPT = """#!/bin/bash
#SBATCH --job-name={{job_name}}
#SBATCH --output={{log_file}}
#SBATCH --open-mode=truncate
#SBATCH --chdir={{homedir}}
#SBATCH --no-requeue
{% if partition %}#SBATCH --partition={{partition}}
{% endif %}{% if account %}#SBATCH --account={{account}}
{% endif %}{% if qos %}#SBATCH --qos={{qos}}
{% endif %}{% if reservation %}#SBATCH --reservation={{reservation}}
{% endif %}{% if constraint %}#SBATCH --constraint={{constraint}}
{% endif %}{% if runtime %}#SBATCH --time={{runtime}}
{% endif %}{% if memory %}#SBATCH --mem={{memory}}
{% endif %}{% if nprocs %}#SBATCH --cpus-per-task={{nprocs}}
{% endif %}{% if ngpus %}#SBATCH --gpus={{ngpus}}
{% endif %}{% if gres %}#SBATCH --gres={{gres}}
{% endif %}{% if options %}#SBATCH {{options}}
{% endif %}
{{exports}}
{{prologue}}
{% if srun %}{{srun}} {% endif %}{{cmd}}
status=$?
{{epilogue}}
exit $status
"""
_PENDING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
_RUNNING = frozenset({"RUNNING", "COMPLETING", "STAGE_OUT", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING"})
#: Why jobs wait. The words are Slurm's, the sentences ours.
_REASONS: Mapping[str, str] = {
    "Resources": "The machines that it needs are busy.",
    "Priority": "Jobs of a higher priority are before it.",
    "Dependency": "It waits for another job.",
    "BeginTime": "It may not begin yet.",
    "Reservation": "Its reservation has not begun.",
    "PartitionDown": "The partition is closed.",
    "PartitionInactive": "The partition is closed.",
    "PartitionNodeLimit": "It asks for more machines than the partition gives.",
    "PartitionTimeLimit": "It asks for more time than the partition gives.",
    "ReqNodeNotAvail": "A machine that it needs is not available.",
    "JobHeldUser": "It is held: release it (scontrol release) to let it begin.",
    "JobHeldAdmin": "An administrator holds it.",
    "Licenses": "All licences that it needs are in use.",
    "NodeDown": "A machine that it needs is down.",
    "InvalidAccount": "Its account is not valid.",
    "InvalidQOS": "Its quality of service is not valid.",
    "QOSNotAllowed": "Its quality of service may not be used in this partition.",
    "MaxJobsPerAccount": "The account runs as many jobs as it may.",
}
_LIMITS = re.compile(r"(QOS|Assoc|Job)(Max|Grp|Min)?(\w*)")
_LISTED = "%i|%T|%B|%P|%S|%u|%j|%r"
#: How often the line of all that wait is looked through, in seconds.
_LINE_EVERY = 15.0


class SlurmSpawner(RegexStates, BatchSpawnerBase):
    """Starts servers as jobs of Slurm."""

    system: ClassVar[str] = "Slurm"
    client_variables: ClassVar[tuple[str, ...]] = ("SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS", "MUNGE_")
    gone_re: ClassVar[str] = (
        r"Invalid job id|[Jj]ob/step already completing or completed|Kill job error on job id .* No such job"
    )

    batch_script: Any = Unicode(_SCRIPT, help="The template of the job's script.").tag(config=True)
    req_cluster = Unicode(help="The cluster.").tag(config=True)
    req_qos = Unicode(help="The quality of service.").tag(config=True)
    req_srun = Unicode(help="What runs the server as a step of the job, such as srun.").tag(config=True)
    req_reservation = Unicode(help="The reservation.").tag(config=True)
    req_gres = Unicode(help="Generic resources, such as gpu:2.").tag(config=True)
    req_constraint = Unicode(help="Features that the machine must have.").tag(config=True)
    batch_submit_cmd = Unicode(
        "sbatch --parsable --job-name={job_name}", help="The command that submits a script from its input."
    ).tag(config=True)
    batch_query_cmd = Unicode(
        "squeue -h -j {job_id} -o '%T %B'", help="The command that tells of {job_id}."
    ).tag(config=True)
    batch_cancel_cmd = Unicode("scancel {job_id}", help="The command that ends {job_id}.").tag(config=True)
    state_pending_re = Unicode(r"^(?:PENDING|CONFIGURING|REQUEUED|RESV_DEL_HOLD)", help="Says: waits.").tag(
        config=True
    )
    state_running_re = Unicode(
        r"^(?:RUNNING|COMPLETING|SUSPENDED|STOPPED|RESIZING|SIGNALING|STAGE_OUT)", help="Says: runs."
    ).tag(config=True)
    state_unknown_re = Unicode(
        r"^slurm_load_jobs error: (?:Socket timed out on send/recv|Unable to contact slurm controller)",
        help="Says: nothing is known.",
    ).tag(config=True)
    state_exechost_re = Unicode(r"\s+((?:[\w_-]+\.?)+)$", help="Says where it runs.").tag(config=True)
    daemon_resolver: Any = Dict(help="The addresses of machines by Slurm's names for them.").tag(config=True)

    def parse_job_id(self, output: str) -> str:
        """Return the number in the last line; a cluster's name may follow it."""
        return str(int(output.splitlines()[-1].split(";")[0]))

    def resolve_host(self, host: str) -> str:
        """Return the address of a machine that Slurm calls `host`."""
        return str(self.daemon_resolver.get(host, host))

    async def list_jobs(self, ids: Collection[str]) -> Jobs:
        """Return what is known of these jobs; those that have ended are known for some minutes."""
        return await self._squeue("-t", "all", "-j", ",".join(sorted(ids)))

    async def list_named(self) -> Jobs:
        """Return all jobs of the cluster that wait or run."""
        return await self._squeue()

    async def _squeue(self, *words: str) -> Jobs:
        ran = await self._ask("squeue", "-h", "-a", "-o", _LISTED, *words, SLURM_TIME_FORMAT="%s")
        if ran.status:
            if re.search(self.gone_re, ran.words):
                return {}
            raise Unclear(ran.words[:300])
        jobs = map(self._read, filter(None, ran.out.splitlines()))
        return {job.id: job for job in jobs}

    def _read(self, line: str) -> Job:
        parts = line.split("|", 7)
        if len(parts) != 8:
            raise Unclear(f"squeue said {line[:100]!r}")
        job_id, word, host, queue, start, user, name, reason = parts
        state = _state(word)
        where = self.resolve_host(host) if state is JobState.RUNNING and host not in ("", "n/a") else ""
        expected = float(start) if state is JobState.PENDING and start.isdecimal() else None
        why = "" if reason in ("None", "(null)") else reason
        return Job(job_id, state, word, where, why, queue, name, user, expected, _status(word))

    async def history(self) -> Job | None:
        """Return how the job has ended, by what the controller still knows or the accounting keeps."""
        for words in (
            ("scontrol", "show", "job", "-o", self.job_id),
            ("sacct", "-n", "-P", "-X", "-j", self.job_id, "-o", "JobState,ExitCode"),
        ):
            try:
                ran = await self._ask(*words)
            except Unclear:
                continue
            found = None if ran.status else _ending(self.job_id, ran.out)
            if found is not None:
                return found
        return None

    async def ahead(self, job: Job) -> int | None:
        """Return how many jobs of the partition have a higher priority and wait."""
        line: Remembered = self.in_common("line", Remembered)
        waiting: Mapping[str, int] = await line.get(self._line, _LINE_EVERY)
        if job.id not in waiting:
            # It has come since.
            waiting = await line.get(self._line, self.query_interval)
        return waiting.get(job.id)

    async def _line(self) -> Mapping[str, int]:
        ran = await self._ask("squeue", "-h", "-a", "-t", "PENDING", "--sort=-p,i", "-o", "%i|%P")
        if ran.status:
            raise Unclear(ran.words[:300])
        places: dict[str, int] = {}
        counts: dict[str, int] = {}
        for line in ran.out.splitlines():
            job_id, _, queue = line.partition("|")
            places[job_id] = counts.get(queue, 0)
            counts[queue] = places[job_id] + 1
        return places

    def explain_wait(self, reason: str) -> str:
        """Say in plain words why a job waits."""
        word = reason.strip("()").partition(",")[0].strip()
        if word in _REASONS:
            return _REASONS[word]
        limit = _LIMITS.fullmatch(word)
        if limit and limit[2]:
            whose = "the account" if limit[2] == "Grp" or limit[1] == "Assoc" else "you"
            return f"A limit is reached of what {whose} may use at once ({word})."
        return super().explain_wait(word)


def _state(word: str) -> JobState:
    if word in _PENDING:
        return JobState.PENDING
    return JobState.RUNNING if word in _RUNNING else JobState.ENDED


def _status(word: str) -> int | None:
    """Return the exit status that a state's name implies; of a failure it is another question."""
    return 0 if word == "COMPLETED" else None


def _ending(job_id: str, text: str) -> Job | None:
    """Return how a job has ended, from the words of scontrol or sacct; None while it has not."""
    word = re.search(r"\bJobState=(\w+)", text) or re.match(r"([A-Z_]+)\b[^|\n]*\|", text)
    code = re.search(r"(?:\bExitCode=|\|)(\d+):(\d+)", text)
    if word is None or _state(word[1]) is not JobState.ENDED:
        return None
    status, number = (int(code[1]), int(code[2])) if code else (0, 0)
    ended = -number if number else status
    return Job(job_id, JobState.ENDED, word[1], status=ended if ended or word[1] == "COMPLETED" else 1)
