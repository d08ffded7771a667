"""batchspawner submits servers to Slurm as their users: they wait in the queue, tell the hub their port,
outlive it, and are cancelled; Torque's commands are scripts that stand in for them."""

from __future__ import annotations

import json
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.plugins.environment import ENVIRONMENT, PYTHON, carrel_with_plugins, need_plugins
from tests.plugins.progress import steps
from tests.rigs.accounts import Account, temporary_account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.slurm import Slurm, running_slurm
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "batchspawner"
BACK_END = "Slurm 22 of one node"
NOTES = (
    "When the hub is killed while a job waits, the next one cancels it: the package cannot wait on for it.",
    "A job that dies between its begin and the port that it tells is noticed after `start_timeout`.",
    "Of the other schedulers, Torque was run with scripts in place of its commands.",
)

#: What an ordinary account can run everywhere; the environment of the tests may not be readable for it.
SYSTEM_PYTHON = Path("/usr/bin/python3")
SERVER = """#!/usr/bin/python3
import http.server, os, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['JUPYTERHUB_USER']} {os.getuid()} {os.getpid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
place = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer(("127.0.0.1", place.port), Handler).serve_forever()
"""
WRAPPER = """#!/bin/sh
export PYTHONPATH={packages}
exec {python} -m batchspawner.singleuser "$@"
"""
HOOK = """
def change(spawner):
    for name, value in spawner.user_options.items():
        setattr(spawner, 'req_' + name, value[0] if isinstance(value, list) else value)
c.Spawner.pre_spawn_hook = change
c.Spawner.poll_interval = 1
c.Spawner.env_keep = ['PATH', 'LANG', 'SLURM_CONF', 'BATCH_DIRECTORY']
c.JupyterHub.tornado_settings = {'slow_spawn_timeout': 0}
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A hub with a queue behind it, and somebody of this machine who has an account at both."""

    hub: HubProcess
    user: str
    token: str

    def ask(self, **options: str) -> None:
        """Ask for the user's server, with options of the job."""
        # Said each time: a start without options would take those of the last one.
        body = json.dumps({"partition": "", **options}).encode()
        asked = self.hub.api("POST", f"users/{self.user}/server", token=self.token, body=body)
        assert asked.status in (201, 202), asked.text

    def start(self) -> str:
        """Start the server and return what it says: its user, uid and pid."""
        self.ask()
        self.hub.wait_server(self.user, self.token)
        return self.page()

    def page(self) -> str:
        """Return what the server says, as its owner sees it."""
        return self.hub.visitor().get(f"user/{self.user}/page").text

    def stop(self) -> None:
        """Stop the server, whatever it is doing."""
        assert self.hub.api("DELETE", f"users/{self.user}/server", token=self.token).status in (202, 204)
        self.hub.wait_server(self.user, self.token, running=False)

    def why(self) -> str:
        """Return the page that the owner finds in place of the server."""
        visitor = self.signed_in()
        return visitor.follow(f"user/{self.user}/").text

    def signed_in(self) -> Visitor:
        """Return a browser in which the user has logged in."""
        visitor = self.hub.visitor()
        assert visitor.log_in(self.user, PASSWORD).location
        return visitor

    def settled(self) -> None:
        """Return when nothing is pending and nothing runs."""
        self.hub.wait_server(self.user, self.token, running=False)


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """A directory that every account may read, as pytest's own are not, with the programs of jobs."""
    need_plugins()
    same = subprocess.run([str(SYSTEM_PYTHON), "-V"], capture_output=True, text=True, check=True).stdout
    ours = subprocess.run([str(PYTHON), "-V"], capture_output=True, text=True, check=True).stdout
    minor = re.compile(r"3\.\d+")
    need(minor.findall(same) == minor.findall(ours), f"a {SYSTEM_PYTHON} of the plug-ins' version")
    path = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp"))
    path.chmod(0o755)
    (packages,) = (ENVIRONMENT / "lib").glob("python3*/site-packages")
    programs = {
        "server": SERVER,
        "batchspawner-singleuser": WRAPPER.format(packages=packages, python=SYSTEM_PYTHON),
    }
    for name, text in programs.items():
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with temporary_account() as account:
        yield account


@pytest.fixture(scope="module")
def slurm(public: Path) -> Iterator[Slurm]:
    with running_slurm(public) as slurm:
        yield slurm


def a_hub(directory: Path, public: Path, config: str, environment: dict[str, str]) -> HubProcess:
    """Return a hub whose servers are jobs."""
    system = carrel_with_plugins()
    system = replace(system, environment={**system.environment, **environment})
    programs = (
        f"c.Spawner.cmd = [{str(public / 'server')!r}]\nc.Spawner.args = []\n"
        f"c.BatchSpawnerBase.batchspawner_singleuser_cmd = {str(public / 'batchspawner-singleuser')!r}\n"
    )
    return HubProcess(system, directory, class_config(directory, STUB) + HOOK + programs + config)


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory, public: Path, slurm: Slurm, account: Account
) -> Iterator[HubProcess]:
    # Without srun: a step that is cancelled while it begins keeps its job in the queue for a minute.
    config = "c.JupyterHub.spawner_class = 'batchspawner.SlurmSpawner'\nc.SlurmSpawner.req_srun = ''\n"
    environment = {"SLURM_CONF": str(slurm.configuration)}
    with a_hub(tmp_path_factory.mktemp("hub"), public, config, environment) as hub:
        assert hub.visitor().log_in("admin", PASSWORD).location
        yield hub


@pytest.fixture
def batch(hub: HubProcess, account: Account) -> Iterator[Batch]:
    yield from _batch(hub, account)


def _batch(hub: HubProcess, account: Account) -> Iterator[Batch]:
    assert hub.visitor().log_in(account.name, PASSWORD).location
    batch = Batch(hub, account.name, hub.token(account.name))
    yield batch
    batch.stop()


def test_a_job_waits_in_the_queue_tells_its_port_is_used_and_cancelled(batch: Batch, slurm: Slurm) -> None:
    """A server waits in the queue, runs as its user at the port that it chose, is used, and is cancelled."""
    with slurm.closed():
        batch.ask()
        until(lambda: "PENDING" in slurm.jobs(batch.user).values(), "the job in the queue")
        said = steps(batch.hub, batch.user, batch.token)
        assert any(step["message"] == "Pending in queue..." for step in said)
    assert any(step.get("ready") for step in said)
    user, uid, _ = batch.page().split()
    assert (user, int(uid)) == (batch.user, pwd.getpwnam(batch.user).pw_uid)
    assert list(slurm.jobs(batch.user).values()) == ["RUNNING"]
    batch.stop()
    until(lambda: not slurm.jobs(batch.user), "the job to be gone")


def test_a_job_outlives_the_hub_and_is_found_again(batch: Batch, slurm: Slurm) -> None:
    first = batch.start()
    jobs = slurm.jobs(batch.user)
    batch.hub.restart()
    assert batch.page() == first
    batch.hub.wait_server(batch.user, batch.token)
    assert slurm.jobs(batch.user) == jobs


def test_the_owner_of_a_job_that_was_cancelled_is_told(batch: Batch, slurm: Slurm) -> None:
    batch.start()
    (job,) = slurm.jobs(batch.user)
    slurm.cancel(job)
    batch.settled()
    assert "has failed" in batch.why()


def test_a_job_that_is_cancelled_while_it_waits_is_told_of(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        batch.ask()
        until(lambda: "PENDING" in slurm.jobs(batch.user).values(), "the job in the queue")
        (job,) = slurm.jobs(batch.user)
        slurm.cancel(job)
        batch.settled()
    assert "disappeared while pending" in batch.why()


def test_why_the_scheduler_refuses_a_job_is_told(batch: Batch, slurm: Slurm) -> None:
    batch.ask(partition="nowhere")
    batch.settled()
    assert "The batch system does not know the account or partition of this job" in batch.why()
    assert slurm.jobs(batch.user) == {}


def test_a_job_that_waits_when_the_hub_is_killed_is_not_left_behind(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        batch.ask()
        until(lambda: "PENDING" in slurm.jobs(batch.user).values(), "the job in the queue")
        until(lambda: _known(batch), "the job's id in the database")
        batch.hub.restart()
        batch.settled()
        until(lambda: not slurm.jobs(batch.user), "the job to be cancelled")
    assert "The hub was restarted while the server started" in batch.why()


def _known(batch: Batch) -> bool:
    """Tell whether the hub has written down which job it is."""
    admin = batch.hub.token("admin")
    server = batch.hub.api("GET", f"users/{batch.user}", token=admin).json()["servers"].get("")
    return bool(server and server["state"].get("job_id"))


QSUB = """#!/usr/bin/python3
import os, subprocess, sys
os.chdir(os.environ["BATCH_DIRECTORY"])
with open("job.sh", "w") as script:
    script.write(sys.stdin.read())
with open("job.log", "w+") as log:
    job = subprocess.Popen(["sh", "job.sh"], stdout=log, stderr=log, stdin=log, start_new_session=True)
print(job.pid)
"""
QSTAT = """#!/bin/sh
kill -0 "$2" 2>/dev/null && echo "<job_state>R</job_state><exec_host>localhost/0</exec_host>"
"""
QDEL = """#!/bin/sh
kill -- "-$1" 2>/dev/null || kill "$1"
"""


def test_commands_of_another_scheduler(tmp_path: Path, public: Path, account: Account) -> None:
    """Torque's commands (scripts that stand in for them) are given what its template says."""
    for name, text in {"qsub": QSUB, "qstat": QSTAT, "qdel": QDEL}.items():
        (public / name).write_text(text)
        (public / name).chmod(0o755)
    config = (
        "c.JupyterHub.spawner_class = 'batchspawner.TorqueSpawner'\nc.BatchSpawnerBase.exec_prefix = ''\n"
        "c.TorqueSpawner.req_queue = 'long'\nc.TorqueSpawner.req_host = 'here'\n"
        f"c.TorqueSpawner.batch_submit_cmd = '{public}/qsub'\n"
        f"c.TorqueSpawner.batch_query_cmd = '{public}/qstat -x {{job_id}}'\n"
        f"c.TorqueSpawner.batch_cancel_cmd = '{public}/qdel {{job_id}}'\n"
    )
    with a_hub(tmp_path / "hub", public, config, {"BATCH_DIRECTORY": str(tmp_path)}) as hub:
        for batch in _batch(hub, account):
            assert batch.start().startswith(f"{account.name} ")
            assert "#PBS -q long@here" in (tmp_path / "job.sh").read_text()
            batch.stop()


def test_the_other_schedulers_classes_are_made_of_carrels() -> None:
    code = (
        "from carrel.compat.imports import install; install()\n"
        "from carrel.spawners.base import Spawner\n"
        "import batchspawner as b\n"
        "for name in ('PBS', 'Moab', 'Slurm', 'Gridengine', 'Condor', 'Lsf', 'MultiSlurm', 'Torque'):\n"
        "    assert issubclass(getattr(b, f'{name}Spawner'), Spawner)\n"
    )
    system = carrel_with_plugins()
    subprocess.run([system.command[0], "-c", code], env={**system.environment}, check=True)
