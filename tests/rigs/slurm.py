"""A Slurm of one node for tests: munged, slurmctld and slurmd with directories and ports of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.systems import free_port

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

_CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldPort={controller}
SlurmdPort={node}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SchedulerType=sched/backfill
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
CommunicationParameters=NoInAddrAny
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer_batch
MinJobAge=60
KillWait=3
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True, slots=True)
class Slurm:
    """A cluster that runs."""

    configuration: Path

    def jobs(self, user: str = "") -> dict[str, str]:
        """Return the states of the jobs in the queue by their ids, of all users or one."""
        only = ["-u", user] if user else []
        lines = self.run("squeue", "-h", "-o", "%i %T", *only).splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def cancel(self, job: str) -> None:
        """End a job, as an administrator does."""
        self.run("scancel", job)

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Have no job begin before the block ends."""
        self.run("scontrol", "update", "PartitionName=debug", "State=DOWN")
        try:
            yield
        finally:
            self.run("scontrol", "update", "PartitionName=debug", "State=UP")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Have the controller answer nothing before the block ends."""
        pid = int((self.configuration.parent / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def run(self, *command: str) -> str:
        """Return what a command of Slurm's printed; raises CalledProcessError."""
        environment = os.environ | {"SLURM_CONF": str(self.configuration)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout


@contextlib.contextmanager
def running_slurm(directory: Path, cpus: int = 2) -> Iterator[Slurm]:
    """Run the block with a cluster; `directory` must be one that every account may enter. Needs root.

    Its one node passes for one with so many processors: as many jobs run at once.
    """
    need(os.geteuid() == 0, "root, who may run jobs for others,")
    names = ("mungekey", "munged", "slurmctld", "slurmd", "sbatch")
    programs = {name: shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}") for name in names}
    need(all(programs.values()), "Slurm")
    for name in ("state", "spool"):
        (directory / name).mkdir()
    file = directory / "slurm.conf"
    ports = {"controller": free_port(), "node": free_port()}
    file.write_text(_CONFIGURATION.format(directory=directory, cpus=cpus, **ports))
    slurm = Slurm(file)
    key = str(directory / "munge.key")
    subprocess.run([str(programs["mungekey"]), "--create", "--keyfile", key], check=True)
    options = {"key-file": key, "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    places = [f"--{name}={directory / place}" for name, place in options.items()]
    commands = [
        [str(programs["munged"]), "--foreground", "--force", *places, f"--log-file={directory}/munge.log"],
        [str(programs["slurmctld"]), "-D", "-f", str(file)],
        [str(programs["slurmd"]), "-D", "-f", str(file), "-N", "localhost"],
    ]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((directory / "slurm.log").open("wb"))
        for command in commands:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            stack.callback(_end, process)
            if command is commands[0]:
                until((directory / "munge.socket").exists, "munged's socket")
        until(lambda: _is_idle(slurm), f"Slurm's node to be idle; see {log.name}")
        try:
            yield slurm
        finally:
            for job in slurm.jobs():
                # It may have come to its end by itself since.
                with contextlib.suppress(subprocess.CalledProcessError):
                    slurm.cancel(job)
            until(lambda: not slurm.jobs(), "all jobs to be gone", 60)


def _is_idle(slurm: Slurm) -> bool:
    try:
        return slurm.run("sinfo", "-h", "-o", "%T").strip() == "idle"
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
