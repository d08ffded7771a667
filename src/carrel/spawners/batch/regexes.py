"""Reading what `batch_query_cmd` says by regular expressions, which a configuration may change."""

from __future__ import annotations

import re

from traitlets import HasTraits, Unicode

from carrel.spawners.batch.jobs import Job, JobState, Unclear


class RegexStates(HasTraits):
    """A part of a driver: what its settings `state_*_re` recognise."""

    job_id: str
    state_pending_re = Unicode(help="Recognises that a job waits.").tag(config=True)
    state_running_re = Unicode(help="Recognises that a job runs.").tag(config=True)
    state_exechost_re = Unicode(help="Its first group is where the job runs.").tag(config=True)
    state_exechost_exp = Unicode(help="What that is expanded to, as by re.Match.expand.").tag(config=True)
    state_unknown_re = Unicode(help="Recognises that nothing is known.").tag(config=True)

    def read_query(self, text: str) -> Job | None:
        """Return the job that a query tells of, None when it says that there is none; raises Unclear."""
        if self.state_unknown_re and re.search(self.state_unknown_re, text):
            raise Unclear(text[:300])
        if re.search(self.state_running_re, text):
            return Job(self.job_id, JobState.RUNNING, host=self.resolve_host(self._host_in(text)))
        return Job(self.job_id, JobState.PENDING) if re.search(self.state_pending_re, text) else None

    def resolve_host(self, host: str) -> str:
        """Return the address of a machine that the batch system calls `host`."""
        return host

    def _host_in(self, text: str) -> str:
        found = re.search(self.state_exechost_re, text)
        if not found:
            return ""
        return found.expand(self.state_exechost_exp) if self.state_exechost_exp else str(found[1])
