"""HTCondor."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from traitlets import Unicode

from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear
from carrel.spawners.batch.regexes import RegexStates

# The environment of a job is an attribute that everybody may read: it goes by a file.
_SCRIPT = """Executable = /bin/sh
Arguments = "-c '. {{environment_file}} && rm -f {{environment_file}}; {{prologue}}\
{% if prologue %}; {% endif %}exec {{cmd}}'"
JobBatchName = {{job_name}}
RequestMemory = {{memory or "1G"}}
RequestCpus = {{nprocs or 1}}
{% if ngpus %}RequestGpus = {{ngpus}}
{% endif %}{% if account %}AccountingGroup = {{account}}
{% endif %}{% if runtime %}+MaxRuntime = {{runtime}}
{% endif %}InitialDir = {{homedir}}
Output = {{log_file}}
Error = {{log_file}}
ShouldTransferFiles = NO
GetEnv = False
periodic_remove = NumJobStarts > 0 && JobStatus == 1
{% if options %}{{options}}
{% endif %}Queue
"""
#: JobStatus of a job's ClassAd.
_WORDS: Mapping[int, tuple[str, JobState]] = {
    1: ("idle", JobState.PENDING),
    2: ("running", JobState.RUNNING),
    3: ("removed", JobState.ENDED),
    4: ("completed", JobState.ENDED),
    5: ("held", JobState.STUCK),
    6: ("transferring output", JobState.RUNNING),
    7: ("suspended", JobState.RUNNING),
}
_ATTRIBUTES = "ClusterId,JobStatus,RemoteHost,Owner,JobBatchName,HoldReason,RemoveReason,ExitCode,ExitSignal"


class CondorSpawner(RegexStates, BatchSpawnerBase):
    """Starts servers as jobs of HTCondor."""

    system: ClassVar[str] = "HTCondor"
    client_variables: ClassVar[tuple[str, ...]] = ("CONDOR_", "_CONDOR_")
    gone_re: ClassVar[str] = r"Couldn't find/remove all jobs|Job .{0,40}not found"

    batch_script: Any = Unicode(_SCRIPT, help="The template of the job's description.").tag(config=True)
    batch_submit_cmd = Unicode("condor_submit", help="The command that submits a script from its input.").tag(
        config=True
    )
    batch_query_cmd = Unicode(
        'condor_q {job_id} -format "%s, " JobStatus -format "%s" RemoteHost -format "\\n" True',
        help="The command that tells of {job_id}.",
    ).tag(config=True)
    batch_cancel_cmd = Unicode("condor_rm {job_id}", help="The command that ends {job_id}.").tag(config=True)
    state_pending_re = Unicode(r"^1,", help="Says: waits.").tag(config=True)
    state_running_re = Unicode(r"^2,", help="Says: runs.").tag(config=True)
    state_exechost_re = Unicode(r"^\w*, .*@([^ ]*)", help="Says where it runs.").tag(config=True)

    def parse_job_id(self, output: str) -> str:
        """Return the cluster in `1 job(s) submitted to cluster 12.`"""
        found = re.search(r"submitted to cluster (\d+)", output)
        if found is None:
            raise ValueError("there is no number")
        return found[1]

    def cmd_formatted_for_batch(self) -> str:
        """Return the command line as it is written between quotes in a job's description."""
        return super().cmd_formatted_for_batch().replace('"', '""').replace("'", "''")

    async def list_jobs(self, ids: Collection[str]) -> Jobs:
        """Return what is known of these jobs."""
        return await self._condor_q(*sorted(ids))

    async def list_named(self) -> Jobs:
        """Return all jobs that wait or run."""
        return await self._condor_q()

    async def history(self) -> Job | None:
        """Return how the job has ended, by the history."""
        try:
            ran = await self._ask(
                "condor_history", "-limit", "1", "-json", "-attributes", _ATTRIBUTES, self.job_id
            )
            return None if ran.status else next(iter(_read(ran.out)), None)
        except Unclear:
            return None

    async def _condor_q(self, *words: str) -> Jobs:
        ran = await self._ask("condor_q", "-allusers", "-json", "-attributes", _ATTRIBUTES, *words)
        if ran.status:
            raise Unclear(ran.words[:300])
        return {job.id: job for job in _read(ran.out)}


def _read(text: str) -> Iterator[Job]:
    if not text:
        return  # No job at all.
    try:
        for advert in json.loads(text):
            yield _job(advert)
    except (ValueError, KeyError, TypeError) as error:
        raise Unclear(f"condor_q said {text[:100]!r}") from error


def _job(advert: Mapping[str, Any]) -> Job:
    word, state = _WORDS[int(advert["JobStatus"])]
    signal = advert.get("ExitSignal")
    status = -int(signal) if signal else advert.get("ExitCode")
    return Job(
        str(advert["ClusterId"]),
        state,
        word,
        host=str(advert.get("RemoteHost", "")).rpartition("@")[2],
        reason=str(advert.get("HoldReason") or advert.get("RemoveReason") or ""),
        name=str(advert.get("JobBatchName", "")),
        user=str(advert.get("Owner", "")),
        status=int(status) if state is JobState.ENDED and status is not None else None,
    )
