"""Settings that do not go together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carrel.config.conflicts import find_conflicts
from carrel.lib.control_groups import machine
from carrel.lib.control_groups.machine import Machine
from tests.config.rig import choose

OPEN = "c.Authenticator.allow_all = True\n"
DOCKER = (
    "from traitlets import Dict\n"
    "from carrel.testing.fakes import FakeSpawner\n"
    "class DockerSpawner(FakeSpawner):\n"
    "    extra_host_config = Dict().tag(config=True)\n"
    "c.JupyterHub.spawner_class = DockerSpawner\n"
)
CULLER = (
    "c.JupyterHub.services = [{'name': 'cull', 'command': ['python3', '-m', 'jupyterhub_idle_culler']}]\n"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("carrel-singleuser", "python3"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bare = Machine((), systemd=False, root=True)
    monkeypatch.setattr(machine, "probe", lambda: bare)


def conflicts(directory: Path, text: str, *argv: str) -> list[tuple[str, str]]:
    found = find_conflicts(choose(directory, text, *argv)[0])
    assert not any(problem.fatal for problem in found)
    return [(problem.setting, problem.message) for problem in found]


@pytest.mark.parametrize(
    "text",
    [
        OPEN,
        "c.Authenticator.allowed_users = {'ada'}",
        "c.Authenticator.any_allow_config = True",
        "c.JupyterHub.authenticator_class = 'null'",
        "c.JupyterHub.authenticator_class = 'dummy'\nc.Authenticator.allowed_users = {'ada'}",
        "c.JupyterHub.authenticator_class = 'dummy'\nc.Authenticator.allowed_users.add('ada')",
        OPEN + "c.JupyterHub.spawner_class = 'simple'",
        OPEN + DOCKER + "c.JupyterHub.hub_connect_ip = 'hub'",
        OPEN + DOCKER + "c.JupyterHub.hub_ip = '172.17.0.1'",
        OPEN + DOCKER + "c.Spawner.hub_connect_url = 'http://hub:8081/hub/api'",
        OPEN + DOCKER + "c.DockerSpawner.extra_host_config = {'network_mode': 'host'}",
        OPEN + "c.JupyterHub.allow_named_servers = True\nc.JupyterHub.named_server_limit_per_user = 2",
        OPEN + "c.Spawner.cmd = ['missing']\nc.LocalProcessSpawner.shell_cmd = ['bash', '-c']",
    ],
)
def test_what_goes_together(tmp_path: Path, text: str) -> None:
    assert conflicts(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "setting", "words"),
    [
        ("", "Authenticator.allowed_users", "nobody can log in"),
        (
            OPEN + "c.JupyterHub.spawner_class = 'carrel.spawners.sudo.SudoSpawner'\n"
            "c.Spawner.mem_limit = '1G'",
            "Spawner.mem_limit",
            "refuses every start",
        ),
        (
            "c.Authenticator.admin_users = {'ada'}",
            "Authenticator.allowed_users",
            "nobody but the administrators (ada) can log in",
        ),
        (
            OPEN + "c.Authenticator.allowed_users = {'ada'}",
            "Authenticator.allowed_users",
            "allow_all = True admits everybody",
        ),
        (
            OPEN + "c.PAMAuthenticator.allowed_groups = {'staff'}",
            "PAMAuthenticator.allowed_groups",
            "allow_all = True admits everybody",
        ),
        (
            "c.Authenticator.allowed_users = {'ada', 'bob'}\nc.Authenticator.blocked_users = {'bob'}",
            "Authenticator.allowed_users",
            "bob cannot log in",
        ),
        (
            OPEN + "c.Authenticator.admin_users = {'bob'}\nc.Authenticator.blocked_users = {'bob'}",
            "Authenticator.admin_users",
            "bob cannot log in",
        ),
        (OPEN + DOCKER, "JupyterHub.hub_ip", "cannot reach the hub at 127.0.0.1"),
        (OPEN + DOCKER + "c.JupyterHub.hub_ip = '0.0.0.0'", "JupyterHub.hub_ip", "which is themselves"),
        (OPEN + "c.Spawner.cmd = ['missing']", "Spawner.cmd", "there is no program missing here"),
        (OPEN + "c.Spawner.mem_limit = '1G'", "Spawner.mem_limit", "Delegate=yes"),
        (OPEN + "c.LocalProcessSpawner.pids_limit = 9", "LocalProcessSpawner.pids_limit", "pids controller"),
        (
            OPEN + "c.JupyterHub.named_server_limit_per_user = 2",
            "JupyterHub.named_server_limit_per_user",
            "without allow_named_servers",
        ),
        (
            OPEN + "c.JupyterHub.port = 1024\nc.Carrel.port = 1025",
            "JupyterHub.port",
            "c.Carrel.port wins",
        ),
        (
            OPEN + "c.JupyterHub.template_paths = ['pages']",
            "JupyterHub.template_paths",
            "there is nothing at",
        ),
        (OPEN + "c.JupyterHub.logo_file = 'logo.png'", "JupyterHub.logo_file", "there is nothing at"),
        (OPEN + "c.Spawner.start_timeout = -4", "Spawner.start_timeout", "in -4 seconds"),
        (OPEN + "c.Spawner.http_timeout = 0", "Spawner.http_timeout", "more than 0"),
        (OPEN + "c.Spawner.notebook_dir = '~/%U'", "Spawner.notebook_dir", "write {username}"),
        (
            OPEN + "c.JupyterHub.services = [{'name': 'c', 'command': ['x/cull_idle_servers.py']}]",
            "JupyterHub.services",
            "pip install jupyterhub-idle-culler",
        ),
    ],
)
def test_what_does_not(tmp_path: Path, text: str, setting: str, words: str) -> None:
    ((found, message),) = conflicts(tmp_path, text)
    assert found == setting
    assert words in message


def test_what_takes_root_is_said_to_who_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    text = OPEN + "c.JupyterHub.spawner_class = 'simple'\nc.LocalProcessSpawner.private_tmp = True"
    found = dict(conflicts(tmp_path, text))
    assert "only a hub that is root" in found["LocalProcessSpawner.private_tmp"]


SIMPLE = OPEN + "c.JupyterHub.spawner_class = 'simple'\n"
HOMES = "c.SimpleLocalProcessSpawner.home_dir_template"
VIEW = "c.LocalProcessSpawner"


@pytest.mark.parametrize(
    ("text", "setting", "covered"),
    [
        (f"{VIEW}.private_tmp = True", "private_tmp", "/tmp"),
        (f"{VIEW}.private_tmp = True\n{HOMES} = '/var/tmp/hub/{{username}}'", "private_tmp", "/var/tmp"),
        (f"{VIEW}.hidden_paths = ['/tmp/{{username}}']", "hidden_paths", "/tmp/{username}"),
        (f"{VIEW}.hidden_paths = ['/tmp/data']", "", ""),
        (f"{VIEW}.private_tmp = True\n{HOMES} = '/home/{{username}}'", "", ""),
        (f"{HOMES} = '/tmp/{{username}}'", "", ""),
    ],
)
def test_homes_that_would_be_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, setting: str, covered: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = conflicts(tmp_path, SIMPLE + text)
    assert [name for name, _ in found] == ([f"LocalProcessSpawner.{setting}"] if setting else [])
    assert all(f"and {covered} would hide them" in message for _, message in found)


def test_a_culler_that_may_stop_nothing_and_cannot_run(tmp_path: Path) -> None:
    texts = [message for _, message in conflicts(tmp_path, OPEN + CULLER)]
    assert [text.partition(":")[0] for text in texts] == [
        "service 'cull' may stop nothing",
        "service 'cull' cannot run",
    ]
    role = "c.JupyterHub.load_roles = [{'name': 'cull', 'scopes': ['list:users'], 'services': ['cull']}]"
    assert len(conflicts(tmp_path, OPEN + CULLER + role)) == 1


def test_a_hub_that_is_not_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = dict(conflicts(tmp_path, OPEN + "c.JupyterHub.port = 80"))
    assert set(found) == {"JupyterHub.spawner_class", "JupyterHub.authenticator_class", "JupyterHub.port"}


def test_options_of_the_command_line_count(tmp_path: Path) -> None:
    assert conflicts(tmp_path, "", "--Authenticator.allowed_users=ada") == []
    ((_, message),) = conflicts(
        tmp_path, "", "--Authenticator.allowed_users=ada", "--Authenticator.blocked_users=ada"
    )
    assert "ada cannot log in" in message
