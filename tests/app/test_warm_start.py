"""Warm starts of a real hub: over its restarts, its end, and with JupyterLab."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs import processes
from tests.rigs.accounts import PYTHON, SERVER
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import CARREL, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def stub_script(place: Path) -> str:
    """Return the stub server as a console script of an interpreter that has little to import."""
    path = place / "stub-server"
    path.write_text(f"#!{PYTHON if PYTHON.exists() else sys.executable}\n{SERVER}")
    path.chmod(0o755)
    return str(path)


def template_of(pid: int) -> int:
    """Return the template that a server was forked from; fails when there is none."""
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert "carrel-warmstart" in processes.command_line(parent)
    return parent


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    config = class_config(tmp_path, [stub_script(tmp_path)]).replace("'--allow-root'", "")
    config += "c.LocalProcessSpawner.warm_start_commands = ['stub-server']\n"
    with HubProcess(carrel(), tmp_path, config) as running:
        yield running


def start(hub: HubProcess, user: str, token: str) -> int:
    """Start a user's server and return its pid."""
    before = set(hub.servers())
    assert hub.api("POST", f"users/{user}", token=token).status == 201
    assert hub.api("POST", f"users/{user}/server", token=token).status in (201, 202)
    hub.wait_server(user, token)
    (pid,) = {pid for pid in set(hub.servers()) - before if os.getpgid(pid) == pid}
    return pid


def test_servers_and_their_template_outlive_the_hub(hub: HubProcess) -> None:
    token = hub.token("admin")
    first = start(hub, "ada", token)
    template = template_of(first)
    hub.restart()
    hub.wait_server("ada", token)
    assert template_of(start(hub, "ben", token)) == template
    hub.stop_server("ada", token)
    assert not processes.is_alive(first)


def test_a_template_that_is_killed_takes_no_server_with_it(hub: HubProcess) -> None:
    token = hub.token("admin")
    first = start(hub, "ada", token)
    template = template_of(first)
    os.kill(template, 9)
    assert template_of(start(hub, "ben", token)) != template
    hub.stop_server("ada", token)
    assert hub.servers() != []


def test_a_person_who_ends_the_hub_ends_all_of_it(hub: HubProcess) -> None:
    template = template_of(start(hub, "ada", hub.token("admin")))
    hub.interrupt()
    assert not processes.is_alive(template)


def test_jupyterlab_is_served_by_a_fork(tmp_path: Path) -> None:
    with HubProcess(carrel(), tmp_path, class_config(tmp_path, CARREL.command())) as hub:
        token = hub.token("admin")
        pid = start(hub, "ada", token)
        template = template_of(pid)
        until(lambda: "carrel-singleuser" in processes.command_line(pid), "the server to have its name")
        assert hub.visitor().get("user/ada/api").status == 200
        hub.stop_server("ada", token)
        assert processes.is_alive(template)
        hub.interrupt()
        assert not processes.is_alive(template)
