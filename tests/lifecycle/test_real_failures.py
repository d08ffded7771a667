"""Starts that really fail, through a real hub: each is told by its cause, with the next step."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.faults import LONG, SCRIPT, SHORT, Fault, hub_config, jupyter, shell
from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.poll import until
from tests.rigs.singleusers import CARREL
from tests.rigs.systems import free_port, under_test

pytestmark = [pytest.mark.real, pytest.mark.timeout(240), only_carrel]

#: A port that the test itself listens on.
TAKEN = free_port()
WRONG_BASE = (
    "port=${JUPYTERHUB_SERVICE_URL##*127.0.0.1:} && exec jupyter server --allow-root --no-browser"
    " --port=${port%%/*} --ServerApp.base_url=/wrong/"
)
NOWHERE = "http://127.0.0.1:1/hub/api"

FAULTS: dict[str, Fault] = {
    # The command
    "no_command": Fault("command-missing", "no-such-program", "c.Spawner.cmd", cmd=("no-such-program",)),
    "not_a_program": Fault("command-missing", "/etc/passwd", "c.Spawner.cmd", cmd=("/etc/passwd",)),
    "shell_127": shell("command-missing", "no-such-program", "Install", "no-such-program --port 1"),
    "shell_exec": shell(
        "singleuser-missing", "jupyterhub-singleuser", "pip", "PATH=/ exec jupyterhub-singleuser"
    ),
    "shell_126": shell("not-executable", "/etc/passwd", "chmod", "exec /etc/passwd"),
    "python_m": Fault("module-missing", "no_such_x", "pip", cmd=(sys.executable, "-m", "no_such_x")),
    "no_script": Fault("command-missing", "/nowhere/x.py", "path", cmd=(sys.executable, "/nowhere/x.py")),
    "at_once": shell("ended-early", "without an error", "foreground", "true"),
    "silent_3": shell("exit", "status 3", "administrator", "exit 3"),
    "leave": Fault("exit", "status 17 before it answered: Have a nice day", "Try again"),
    "missing_module": Fault("module-missing", "no_such_package", "pip install no_such_package"),
    "mismatched_module": Fault("packages-mismatch", "no_such_name", "pip install --upgrade"),
    "unknown_locale": Fault("locale", "locale", "LANG=C.UTF-8"),
    # The hub's own part
    "hook": Fault(
        "hook-error", "pre_spawn_hook did not let the server start: the course", "log", hook="raise"
    ),
    "told": Fault("refused", "Servers are closed on Sundays.", "administrator", hook="tell"),
    "waits": Fault(
        "hook-timeout", f"pre_spawn_hook did not finish within {SHORT}", "start_timeout", hook="wait"
    ),
    "no_home": Fault("directory-not-made", "/proc/no/home", "make", {"home_dir": "/proc/no/home"}),
    # Memory, signals, limits
    "no_memory": Fault("memory-refused", "memory that it asked for", "more memory"),
    "killed": Fault("killed", "its limit is 512 MiB", "load less", {"mem_limit": "512M"}),
    "killed_later": Fault("killed", "SIGKILL", "Start it again"),
    "left_later": Fault("exit", "ended by itself", "Start it again"),
    "terminated": Fault("terminated", "SIGTERM", "Start it again"),
    "crash": Fault("crashed", "SIGSEGV", "reinstall"),
    "aborted": Fault("crashed", "SIGABRT", "reinstall"),
    "bus": Fault("bus-error", "SIGBUS", "/dev/shm"),
    "illegal": Fault("wrong-processor", "SIGILL", "force-reinstall"),
    "processor_time": Fault("limit-exceeded", "SIGXCPU", "ulimit", {"http_timeout": LONG}),
    "large_file": Fault("limit-exceeded", "SIGXFSZ", "ulimit"),
    "no_files": Fault("too-many-files", "open more files", "ulimit -n"),
    "no_threads": Fault("too-many-processes", "threads or processes", "ulimit -u"),
    # Files
    "disk_full": Fault("disk-full", "full", "Delete files"),
    "not_permitted": Fault("not-permitted", "private/runtime", "who owns it"),
    "damaged_database": Fault("database-damaged", "damaged", "nbsignatures.db"),
    "no_database": Fault("database-damaged", "damaged", "nbsignatures.db"),
    "locked_database": Fault("database-locked", "locked", "db_file"),
    # Ports and answers
    "port_taken": Fault("port-taken", "in use by another", "another port"),
    "other_address": Fault("address-missing", "does not have it", "0.0.0.0"),
    "foreign": Fault(
        "port-taken",
        f"process {os.getpid()}) listens on port {TAKEN}",
        "another port",
        {"port": TAKEN},
        cmd=(sys.executable, str(SCRIPT), "wait"),
    ),
    "wait": Fault("not-listening", "nothing takes connections", "JUPYTERHUB_SERVICE_URL"),
    "other_port": Fault("wrong-port", "listens on port", "JUPYTERHUB_SERVICE_URL"),
    "elsewhere": Fault("wrong-base-url", "answers at / and not below /user/elsewhere/", "base_url"),
    "errors": Fault("server-error", "status 503", "log"),
    "garbage": Fault("not-http", "not speak HTTP", "TLS"),
    # The real single-user server
    "hub_refused": jupyter(
        "hub-unreachable", "cannot reach the hub", "hub_connect", JUPYTERHUB_API_URL=NOWHERE
    ),
    "hub_name": jupyter(
        "hub-name", "not known", "hub_connect", JUPYTERHUB_API_URL="http://hub.invalid/hub/api"
    ),
    "bare": Fault(
        "not-by-hub", "JUPYTERHUB_SERVICE_URL", "env -i", cmd=("/usr/bin/env", "-i", str(CARREL.program))
    ),
    "wrong_base": Fault(
        "wrong-base-url",
        "answers at /wrong/ and not below /user/wrong_base/",
        "base_url",
        {"http_timeout": LONG},
        cmd=("sh", "-c", WRONG_BASE),
    ),
    "bad_value": jupyter("config-value", "port", "Jupyter configuration", "--ServerApp.port=soon"),
    "no_file": jupyter("config-missing", "/nowhere/x.ipynb", "c.Spawner.args", "/nowhere/x.ipynb"),
    "bad_option": jupyter("argument", "--no-such", "c.Spawner.args", "--no-such"),
    "secrets": Fault("exit", "status 18", "Try again", cmd=(sys.executable, str(SCRIPT), "tell_secrets")),
}


class Class:
    """A hub whose users' starts have all failed."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        self.token = hub.token("admin")

    def server(self, name: str) -> dict[str, Any]:
        return dict(self.hub.api("GET", f"users/{name}/server", token=self.token).json())

    def start_all(self) -> None:
        for name in FAULTS:
            self.hub.api("POST", f"users/{name}/server", token=self.token)
        until(lambda: all(map(self.is_over, FAULTS)), "all starts to fail", 120, every=0.5)

    def is_over(self, name: str) -> bool:
        server = self.server(name)
        return "failure" in server and server["pending"] is None


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    directory: Path = tmp_path_factory.mktemp("faults")
    config = hub_config(directory, FAULTS) + "c.JupyterHub.tornado_settings = {'slow_spawn_timeout': 0}\n"
    with socket.create_server(("127.0.0.1", TAKEN)), HubProcess(under_test(), directory, config) as hub:
        running = Class(hub)
        running.start_all()
        yield running


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_by_its_cause(course: Class, name: str) -> None:
    fault, server = FAULTS[name], course.server(name)
    failure = server["failure"]
    assert (server["ready"], server["pending"]) == (False, None)
    assert (failure["code"], failure["log"][-3000:]) == (fault.code, failure["log"][-3000:])
    assert fault.message in failure["message"]
    assert fault.hint in failure["hint"]


def test_secrets_and_terminal_codes_do_not_reach_the_page(course: Class) -> None:
    failure = course.server("secrets")["failure"]
    assert failure["log"].splitlines() == [
        "JUPYTERHUB_API_TOKEN=***",
        "the token is ***",
        "{'Authorization': ***",
        "red \\x07",
    ]


def test_what_failed_has_left_nothing(course: Class) -> None:
    assert until(lambda: not course.hub.servers(), "the servers to be gone") is True
