"""A hub over Slurm: servers wait, tell their port, outlive the hub, and owners are told what happens."""

from __future__ import annotations

import contextlib
import inspect
import json
import pwd
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from carrel_client import batch as batch_start
from tests.plugins.progress import steps
from tests.rigs.accounts import Account, temporary_account
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.slurm import Slurm
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

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
http.server.HTTPServer((place.hostname, place.port), Handler).serve_forever()
"""
CONFIG = """
c.JupyterHub.spawner_class = 'slurm'
c.Spawner.cmd = [{server!r}]
c.Spawner.args = []
c.Spawner.poll_interval = 1
c.Spawner.start_timeout = 30
c.JupyterHub.tornado_settings = {{'slow_spawn_timeout': 0}}
c.SlurmSpawner.batchspawner_singleuser_cmd = {start!r}
c.SlurmSpawner.req_choices = {{'partition': ['debug', 'nowhere'], 'memory': True, 'runtime': True}}
c.SlurmSpawner.startup_poll_interval = 0.2
c.SlurmSpawner.query_interval = 0.3
c.SlurmSpawner.command_timeout = 5
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A hub, and somebody of this machine who has an account at both."""

    hub: HubProcess
    user: str
    token: str

    def ask(self, **options: str) -> int:
        """Ask for the user's server and return the status of the answer."""
        body = json.dumps({"user_options": {"partition": "debug", **options}}).encode()
        return self.hub.api("POST", f"users/{self.user}/server", token=self.token, body=body).status

    def start(self) -> str:
        """Start the server and return what it says: its user, uid and pid."""
        assert self.ask() in (201, 202)
        self.hub.wait_server(self.user, self.token)
        return self.page()

    def page(self) -> str:
        return self.hub.visitor().get(f"user/{self.user}/page").text

    def model(self) -> dict[str, object]:
        return dict(self.hub.api("GET", f"users/{self.user}/server", token=self.token).json())

    def stop(self) -> None:
        assert self.hub.api("DELETE", f"users/{self.user}/server", token=self.token).status in (202, 204)
        self.hub.wait_server(self.user, self.token, running=False)

    def why(self) -> str:
        """Return why the last start or run ended, once it has."""
        self.hub.wait_server(self.user, self.token, running=False)
        failure = self.model()["failure"]
        assert isinstance(failure, dict)
        return f"{failure['code']}: {failure['message']}"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with temporary_account() as account:
        yield account


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, slurm: Slurm) -> Iterator[HubProcess]:
    programs = slurm.configuration.parent
    # What an ordinary account can run everywhere: the environment of the tests may not be readable for it.
    for name, text in {
        "server": SERVER,
        "start": f"#!/usr/bin/python3\n{inspect.getsource(batch_start)}",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    directory = tmp_path_factory.mktemp("hub")
    config = CONFIG.format(server=str(programs / "server"), start=str(programs / "start"))
    system = carrel()
    system = replace(system, environment={**system.environment, "SLURM_CONF": str(slurm.configuration)})
    with HubProcess(system, directory, class_config(directory, STUB) + config) as hub:
        yield hub


@pytest.fixture
def batch(hub: HubProcess, account: Account) -> Iterator[Batch]:
    assert hub.visitor().log_in(account.name, PASSWORD).location
    batch = Batch(hub, account.name, hub.token(account.name))
    yield batch
    batch.stop()


def _waits(batch: Batch, slurm: Slurm) -> str:
    """Return the job of a server that waits in the queue, once it does."""
    until(lambda: "PENDING" in slurm.jobs(batch.user).values(), "the job in the queue")
    until(lambda: "queue_position" in batch.model(), "the hub to know where it stands")
    return next(iter(slurm.jobs(batch.user)))


def test_a_server_waits_says_where_it_stands_is_used_and_stopped(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        assert batch.ask() == 202
        _waits(batch, slurm)
        assert batch.model()["queue_position"] == 0
        said = steps(batch.hub, batch.user, batch.token)
        words = next(step["message"] for step in said if "queue_position" in step)
        assert words == "Waiting in the queue: it is next. The partition is closed."
    assert any(step.get("ready") for step in said)
    user, uid, pid = batch.page().split()
    assert (user, int(uid)) == (batch.user, pwd.getpwnam(batch.user).pw_uid)
    assert list(slurm.jobs(batch.user).values()) == ["RUNNING"]
    # Whoever looks at the machine's processes, or asks Slurm, sees no token.
    secret = _token_of(int(pid))
    (job,) = slurm.jobs(batch.user)
    seen = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert secret not in seen + slurm.run("scontrol", "show", "job", job)
    batch.stop()
    assert slurm.jobs(batch.user) == {}


def _token_of(pid: int) -> str:
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    found = re.search(rb"JUPYTERHUB_API_TOKEN=([^\0]+)", environ)
    assert found
    return found[1].decode()


def test_a_hub_that_is_killed_while_a_job_waits_goes_on_with_the_same_one(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        assert batch.ask() == 202
        job = _waits(batch, slurm)
        batch.hub.restart()
        assert _waits(batch, slurm) == job
    batch.hub.wait_server(batch.user, batch.token)
    assert slurm.jobs(batch.user) == {job: "RUNNING"}
    first = batch.page()
    batch.hub.restart()
    assert batch.page() == first
    batch.hub.wait_server(batch.user, batch.token)
    assert slurm.jobs(batch.user) == {job: "RUNNING"}


def test_a_job_begins_while_the_hub_is_away(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        assert batch.ask() == 202
        job = _waits(batch, slurm)
        batch.hub.kill9()
    until(lambda: slurm.jobs(batch.user) == {job: "RUNNING"}, "the job to run")
    batch.hub.start()
    batch.hub.wait_server(batch.user, batch.token)
    assert slurm.jobs(batch.user) == {job: "RUNNING"}
    assert batch.page().startswith(batch.user)


def test_a_server_that_waits_is_cancelled_at_once(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        assert batch.ask() == 202
        _waits(batch, slurm)
        batch.stop()
        assert slurm.jobs(batch.user) == {}
    assert batch.model().get("failure") is None


def test_the_owner_of_a_job_that_somebody_cancels_is_told(batch: Batch, slurm: Slurm) -> None:
    with slurm.closed():
        assert batch.ask() == 202
        slurm.cancel(_waits(batch, slurm))
        assert batch.why().startswith("batch-cancelled: Somebody cancelled")
    batch.start()
    slurm.cancel(next(iter(slurm.jobs(batch.user))))
    assert batch.why().startswith("batch-cancelled: Somebody cancelled")


def test_what_the_scheduler_refuses_is_told(batch: Batch, slurm: Slurm) -> None:
    batch.ask(partition="nowhere")
    assert batch.why().startswith("batch-account: ")
    assert slurm.jobs(batch.user) == {}


def test_options_that_are_not_offered_are_refused_by_name(batch: Batch, slurm: Slurm) -> None:
    batch.ask(memory="1G\n#SBATCH --uid=0")
    why = batch.why()
    assert why.startswith("options-refused: ")
    assert "memory" in why
    assert slurm.jobs(batch.user) == {}


def test_a_controller_that_is_down_ends_nothing(batch: Batch, slurm: Slurm) -> None:
    first = batch.start()
    with slurm.away():
        until(lambda: "cannot be asked after" in batch.hub.log, "the hub to notice")
        assert batch.page() == first
    until(lambda: slurm.jobs(batch.user), "the controller to be back")
    assert batch.page() == first
    batch.hub.wait_server(batch.user, batch.token)


def test_a_job_whose_submission_nobody_remembers_is_taken_over(batch: Batch, slurm: Slurm) -> None:
    """As after a hub that died between the submission and the checkpoint."""
    with slurm.closed():
        assert batch.ask() == 202
        job = _waits(batch, slurm)
        batch.hub.kill9()
        _forget_checkpoints(batch.hub.directory)
        batch.hub.start()
        assert _waits(batch, slurm) == job
    batch.hub.wait_server(batch.user, batch.token)
    assert slurm.jobs(batch.user) == {job: "RUNNING"}


def _forget_checkpoints(directory: Path) -> None:
    (file,) = (path for path in directory.glob("*.sqlite"))
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE servers SET state = '{}'")
        database.commit()
