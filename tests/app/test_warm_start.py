"""Warm starts of a real hub: over its restarts, its end, and with JupyterLab."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rigs import processes
from tests.rigs.accounts import PYTHON, SERVER
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import CARREL, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

#: Servers of one user cannot be forked: Python reads such variables when it starts.
_SOME_ARE_STARTED = """
def hook(spawner):
    if spawner.user.name == 'started-one':
        spawner.environment = {'PYTHON_COLD': '1'}
c.Spawner.pre_spawn_hook = hook
c.Spawner.start_timeout = c.Spawner.http_timeout = 100
"""
_TELLING = """
import json, logging, os, site, sys, sysconfig
from pathlib import Path
from jupyter_client.session import Session
from jupyter_core.paths import jupyter_config_path, jupyter_path
from jupyterlab.labapp import LabApp
from wsgiref.handlers import BaseHandler
OWN = ('CARREL', 'JUPYTERHUB', 'JPY', 'PYTHON_')
alike = lambda env: {name: value for name, value in env.items() if not name.startswith(OWN)}
facts = {
    'environment': alike(os.environ),
    'copy of it': alike(BaseHandler.os_environ),
    'argv': [sys.argv[1:], sys.orig_argv[:2], sys.executable],
    'path': sys.path,
    'directories': [LabApp.user_settings_dir.default_value, LabApp.workspaces_dir.default_value],
    'session': Session.username.default_value,
    'search': [jupyter_path(), jupyter_config_path()],
    'users packages': [site.USER_BASE, site.USER_SITE, sysconfig.get_config_var('userbase')],
    'logging': [str(handler) for handler in logging.root.handlers] + [logging.root.level],
    'where': [os.getcwd(), str(Path.home()), os.path.expanduser('~')],
    'of the hub': sorted(name for name in sys.modules if name.partition('.')[0] == 'carrel'),
    'limit': sys.getrecursionlimit(),
}
Path.home().joinpath('facts.json').write_text(json.dumps(facts))
"""


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
    hub.wait_server(user, token, timeout=100)
    # Not the programs that it asks for their versions, which come and go.
    (pid,) = {pid for pid in set(hub.servers()) - before if pid in processes.session(pid)}
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
    until(lambda: not processes.is_alive(template), "the template to end")


def write_user_config(home: Path) -> None:
    """Let a user's configuration tell what JupyterLab has in memory while it is configured."""
    (home / ".jupyter").mkdir(parents=True)
    (home / ".jupyter" / "jupyter_server_config.py").write_text(_TELLING)


def told_by(home: Path, user: str) -> dict[str, Any]:
    """Return what a server's process said of itself, without its user's name."""
    text = (home / "facts.json").read_text().replace(user, "USER")
    return dict(json.loads(text))


def test_jupyterlab_is_served_by_a_fork_that_is_what_a_start_would_be(tmp_path: Path) -> None:
    config = class_config(tmp_path, CARREL.command()) + _SOME_ARE_STARTED
    for user in ("forked-one", "started-one"):
        write_user_config(tmp_path / "home" / user)
    with HubProcess(carrel(), tmp_path, config) as hub:
        token = hub.token("admin")
        pid = start(hub, "forked-one", token)
        template = template_of(pid)
        assert "carrel-singleuser" in processes.command_line(pid)
        assert hub.visitor().get("user/forked-one/api").status == 200
        hub.stop_server("forked-one", token)
        assert hub.templates() == [template]
        started = start(hub, "started-one", token)
        assert Path(f"/proc/{started}/stat").read_text().split()[3] == str(hub.pid)
        told = {user: told_by(tmp_path / "home" / user, user) for user in ("forked-one", "started-one")}
        assert told["forked-one"] == told["started-one"]
        hub.interrupt()
        until(lambda: hub.templates() == [], "the template to end")
