"""Grid Engine: Sun's, Univa's, Altair's and the free ones."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar
from xml.etree import ElementTree

from traitlets import Unicode

from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.jobs import Job, Jobs, JobState, Unclear

# Variables in `-v` are shown to everybody by `qstat -j`: they go by a file.
_SCRIPT = """#!/bin/bash
#$ -N {{job_name}}
#$ -S /bin/bash
#$ -j yes
#$ -o {{log_file}}
#$ -r no
{% if queue %}#$ -q {{queue}}
{% endif %}{% if account %}#$ -A {{account}}
{% endif %}{% if runtime %}#$ -l h_rt={{runtime}}
{% endif %}{% if memory %}#$ -l h_vmem={{memory}}
{% endif %}{% if nprocs %}#$ -pe {{pe or "smp"}} {{nprocs}}
{% endif %}{% if options %}#$ {{options}}
{% endif %}
. {{environment_file}} && rm -f {{environment_file}}
cd {{homedir}}
{{prologue}}
{{cmd}}
status=$?
{{epilogue}}
exit $status
"""


class GridengineSpawner(BatchSpawnerBase):
    """Starts servers as jobs of Grid Engine."""

    system: ClassVar[str] = "Grid Engine"
    client_variables: ClassVar[tuple[str, ...]] = ("SGE_",)
    gone_re: ClassVar[str] = (
        r"job .{0,40}does not exist|do(?:es)? not exist\s*$|[Ff]ollowing jobs do not exist"
    )

    batch_script: Any = Unicode(_SCRIPT, help="The template of the job's script.").tag(config=True)
    req_pe = Unicode(help="The parallel environment for several processors; smp.").tag(config=True)
    batch_submit_cmd = Unicode(
        "qsub -N {job_name}", help="The command that submits a script from its input."
    ).tag(config=True)
    batch_query_cmd = Unicode("qstat -xml", help="The command that tells of the owner's jobs.").tag(
        config=True
    )
    batch_cancel_cmd = Unicode("qdel {job_id}", help="The command that ends {job_id}.").tag(config=True)

    def parse_job_id(self, output: str) -> str:
        """Return the number in `Your job 12 ("name") has been submitted`."""
        found = re.search(r"[Yy]our job (\d+)", output)
        if found is None:
            raise ValueError("there is no number")
        return found[1]

    def read_query(self, text: str) -> Job | None:
        """Return the job, where the list has it."""
        return {job.id: job for job in _read(text)}.get(self.job_id)

    async def list_jobs(self, ids: Collection[str]) -> Jobs:
        """Return what is known of these jobs; the list of all is the only one."""
        return {job_id: job for job_id, job in (await self.list_named()).items() if job_id in ids}

    async def list_named(self) -> Jobs:
        """Return all jobs that wait or run."""
        ran = await self._ask("qstat", "-u", "*", "-xml")
        if ran.status:
            raise Unclear(ran.words[:300])
        return {job.id: job for job in _read(ran.out)}

    async def history(self) -> Job | None:
        """Return how the job has ended, by the accounting."""
        try:
            ran = await self._ask("qacct", "-j", self.job_id)
        except Unclear:
            return None
        facts = dict(re.findall(r"^(\w+)\s+(.*?)\s*$", ran.out, re.MULTILINE))
        if ran.status or "exit_status" not in facts:
            return None
        number = re.match(r"\d+", facts["exit_status"])
        failed = facts.get("failed", "0")
        return Job(
            self.job_id,
            JobState.ENDED,
            reason="" if failed.startswith("0") else f"failed {failed}",
            status=int(number[0]) if number else None,
        )


def _read(text: str) -> Iterator[Job]:
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat of today refuses what was dangerous
    except ElementTree.ParseError as error:
        raise Unclear(f"qstat said {text[:100]!r}") from error
    for entry in root.iter("job_list"):
        facts = {child.tag: (child.text or "").strip() for child in entry}
        yield _job(entry.get("state", ""), facts)


def _job(attribute: str, facts: Mapping[str, str]) -> Job:
    word = facts.get("state", "")
    if "E" in word:
        state = JobState.STUCK
    else:
        # In states such as hqw and dr, the r is a run and the q is a queue.
        state = JobState.RUNNING if attribute == "running" or "r" in word or "t" in word else JobState.PENDING
    return Job(
        facts.get("JB_job_number", ""),
        state,
        word,
        host=facts.get("queue_name", "").partition("@")[2] if state is JobState.RUNNING else "",
        reason="it is held" if "h" in word else "",
        queue=facts.get("queue_name", "").partition("@")[0],
        name=facts.get("JB_name", ""),
        user=facts.get("JB_owner", ""),
    )
