"""A site whose servers are jobs of the tests' own Slurm."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.site import Run, Site
from tests.rigs.hub import HubProcess
from tests.rigs.slurm import Slurm, running_slurm

#: Jobs run with the hub's own rights: the people of a storm have no accounts.
_CONFIG = """
c.JupyterHub.spawner_class = 'slurm'
c.SlurmSpawner.exec_prefix = ''
c.SlurmSpawner.req_username = 'root'
c.SlurmSpawner.req_homedir = {directory!r}
c.SlurmSpawner.req_memory = '1M'
c.SlurmSpawner.batchspawner_singleuser_cmd = '{python} -m carrel_client.batch'
c.SlurmSpawner.startup_poll_interval = 0.2
c.SlurmSpawner.query_interval = 0.3
"""
_NAME = re.compile(r"carrel-[0-9a-f]{8}-(\d+)-(\d+) (?:PENDING|CONFIGURING|RUNNING)")


@contextmanager
def jobs() -> Iterator[Site]:
    """Yield the site; its cluster ends with the block."""
    directory = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp"))
    try:
        with running_slurm(directory, cpus=100) as slurm:
            yield site_of(slurm)
    finally:
        shutil.rmtree(directory)


def site_of(slurm: Slurm) -> Site:
    """Return the site of a running cluster."""

    def config(diary: Path, stub: Path) -> str:
        return _CONFIG.format(directory=str(diary.parent), python=sys.executable)

    def live_runs(hub: HubProcess) -> Iterator[Run]:
        for server_id, generation in _NAME.findall(slurm.run("squeue", "-h", "-o", "%j %T")):
            yield int(server_id), int(generation)

    return Site(config, live_runs, {"SLURM_CONF": str(slurm.configuration)})
