"""A process that JupyterHub has started is taken over when it surely is that server, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from carrel.lib.process_table import Process, is_alive
from carrel.spawners.base import Spawner
from carrel.spawners.imported import ImportedRun, adopt_process
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from tests.rigs.accounts import Account

pytestmark = pytest.mark.real

TOKEN = "t0ken" * 6
ENVIRONMENT = {"JUPYTERHUB_USER": "ada", "JUPYTERHUB_SERVER_NAME": "gpu", "JUPYTERHUB_API_TOKEN": TOKEN}
RUN = ImportedRun("ada", "gpu", "127.0.0.1", 4000, lambda secret: secret == TOKEN)
SLEEP = ["/bin/sh", "-c", "echo; read line"]


def started(environment: dict[str, str], **more: Any) -> subprocess.Popen[bytes]:
    """Return a process that has begun to run its program: only then its environment is its own."""
    process = subprocess.Popen(
        SLEEP, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, **more
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    process = started(ENVIRONMENT)
    with process:
        yield process
        process.kill()


def test_the_server_s_own_process_is(server: subprocess.Popen[bytes]) -> None:
    state = SimpleLocalProcessSpawner.adopt_imported({"pid": server.pid, "more": 1}, RUN)
    assert state is not None
    assert {key: state[key] for key in ("ip", "port", "more")} == {"ip": "127.0.0.1", "port": 4000, "more": 1}
    assert is_alive(Process(state["pid"], state["start_time"]))


@pytest.mark.parametrize(
    "changed",
    [
        {"JUPYTERHUB_API_TOKEN": "0" * 30},
        {"JUPYTERHUB_API_TOKEN": ""},
        {"JUPYTERHUB_USER": "bea"},
        {"JUPYTERHUB_SERVER_NAME": ""},
    ],
)
def test_another_s_process_with_that_pid_is_not(changed: dict[str, str]) -> None:
    with started(ENVIRONMENT | changed) as process:
        assert adopt_process({"pid": process.pid}, RUN, os.geteuid()) is None
        process.kill()


def test_one_with_other_rights_is_not(server: subprocess.Popen[bytes]) -> None:
    assert adopt_process({"pid": server.pid}, RUN, os.geteuid() + 1) is None


def test_one_that_has_ended_is_not(server: subprocess.Popen[bytes]) -> None:
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert adopt_process({"pid": server.pid}, RUN, os.geteuid()) is None


@pytest.mark.parametrize("pid", [0, -1, True, "12", None, 2**40, os.getpid()])
def test_what_is_no_pid_is_not(pid: object) -> None:
    assert adopt_process({"pid": pid}, RUN, os.geteuid()) is None
    assert adopt_process({}, RUN, os.geteuid()) is None


def test_a_system_user_s_server_has_their_rights(system_account: Account) -> None:
    run = ImportedRun(system_account.name, "", "127.0.0.1", 4000, lambda secret: secret == TOKEN)
    environment = ENVIRONMENT | {"JUPYTERHUB_USER": system_account.name, "JUPYTERHUB_SERVER_NAME": ""}
    with started(environment, user=system_account.name) as process:
        assert LocalProcessSpawner.adopt_imported({"pid": process.pid}, run) is not None
        process.kill()
    with started(environment) as process:
        # Root's, whatever it says of itself.
        assert LocalProcessSpawner.adopt_imported({"pid": process.pid}, run) is None
        process.kill()


def test_nobody_s_server_is_not() -> None:
    run = ImportedRun("no-such-user", "", "127.0.0.1", 4000, bool)
    assert LocalProcessSpawner.adopt_imported({"pid": 1}, run) is None


def test_other_drivers_take_what_was_kept_as_it_is() -> None:
    state = {"object_id": "c0ffee"}
    assert Spawner.adopt_imported(state, RUN) == state
