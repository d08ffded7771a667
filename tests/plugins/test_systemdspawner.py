"""systemdspawner starts each server as a unit of systemd, with its owner's rights and systemd's limits."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.rigs import processes
from tests.rigs.accounts import Account, temporary_account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systemd import Systemd, systemd
from tests.rigs.visitor import Visitor
from tests.spawners.rig import STUB, usable_python

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "jupyterhub-systemdspawner"
BACK_END = "systemd: the machine's, or one that is the first process of a name space"

CONFIG = """
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'systemd'
c.SystemdSpawner.unit_name_template = '{unit}-{{USERNAME}}'
c.SystemdSpawner.default_shell = '/bin/bash'
c.SystemdSpawner.cmd = {command!r}
c.SystemdSpawner.mem_limit = '120M'
c.SystemdSpawner.unit_extra_properties = {{'LimitNOFILE': '512'}}
c.Spawner.environment = {{'PLAIN': 'a value with "quotes"'}}
c.Spawner.poll_interval = 1
"""
#: It never answers, so that the hub is still at the start when it is killed.
SILENT = "c.SystemdSpawner.cmd = ['sleep', '600']\nc.Spawner.http_timeout = 5\n"


class Site:
    """A hub, an account of this machine and a systemd."""

    def __init__(self, hub: HubProcess, account: Account, manager: Systemd) -> None:
        self.hub = hub
        self.user = account.name
        self.manager = manager
        self.unit = f"{hub.directory.name}-{account.name}"

    def start(self) -> tuple[Visitor, str]:
        """Log in, start the server as a browser does, and return the visitor and an API token."""
        visitor = self.hub.visitor()
        assert visitor.log_in(self.user, PASSWORD).location
        visitor.get(f"hub/spawn/{self.user}")
        token = self.hub.token(self.user)
        self.hub.wait_server(self.user, token)
        return visitor, token


@pytest.fixture(scope="module")
def manager() -> Iterator[Systemd]:
    need(os.geteuid() == 0, "root")
    with systemd() as manager:
        yield manager


@contextmanager
def site_with(manager: Systemd, directory: Path, more: str = "") -> Iterator[Site]:
    """Run a hub that speaks with a systemd; `more` are settings."""
    with temporary_account() as account:
        program = Path(f"/home/{account.name}/server.py")
        shutil.copy(STUB, program)
        program.chmod(0o644)
        plain = carrel_with_plugins()
        path = os.pathsep.join([str(manager.programs or ""), plain.environment["PATH"]]).lstrip(os.pathsep)
        system = replace(
            plain,
            command=(*manager.prefix, *plain.command),
            config="",
            environment={**plain.environment, "PATH": path},
        )
        command = [usable_python(), "-S", str(program), "serve"]
        config = CONFIG.format(password=PASSWORD, unit=directory.name, command=command)
        with HubProcess(system, directory, config + more) as hub:
            yield Site(hub, account, manager)


@pytest.fixture
def site(manager: Systemd, tmp_path: Path) -> Iterator[Site]:
    with site_with(manager, tmp_path) as site:
        yield site


def test_a_server_is_started_used_and_stopped(site: Site) -> None:
    """The server is a unit, in its owner's home, with the limits and properties of the configuration."""
    visitor, token = site.start()
    report = visitor.get(f"user/{site.user}/").json()
    (pid,) = site.hub.servers()
    assert Path(f"/proc/{pid}").owner() == site.user
    assert report["cwd"] == f"/home/{site.user}"
    assert report["env"]["PLAIN"] == 'a value with "quotes"'
    shown = site.manager.control("show", "-p", "MemoryMax,LimitNOFILE,NoNewPrivileges", site.unit)
    assert set(shown.splitlines()) == {f"MemoryMax={120 * 2**20}", "LimitNOFILE=512", "NoNewPrivileges=yes"}
    site.hub.stop_server(site.user, token)
    assert site.manager.control("is-active", site.unit) == "inactive"
    assert not processes.is_alive(pid)


def test_a_server_survives_the_hub_and_is_stopped_by_the_next_one(site: Site) -> None:
    """A hub that is killed leaves the unit running; the next one adopts and stops it."""
    visitor, token = site.start()
    (pid,) = site.hub.servers()
    site.hub.restart()
    site.hub.wait_server(site.user, token)
    assert visitor.get(f"user/{site.user}/").status == 200
    assert site.hub.servers() == [pid]
    site.hub.stop_server(site.user, token)
    assert not processes.is_alive(pid)


def test_one_that_is_killed_is_found_dead(site: Site) -> None:
    """A unit that fails is told of on its owner's page, and starts again."""
    visitor, token = site.start()
    os.kill(site.hub.servers()[0], signal.SIGKILL)
    site.hub.wait_server(site.user, token, running=False)
    assert "Failed" in visitor.get("hub/home").text
    visitor.get(f"hub/spawn/{site.user}")
    site.hub.wait_server(site.user, token)
    site.hub.stop_server(site.user, token)


def test_a_hub_killed_during_a_start_leaves_no_unit(manager: Systemd, tmp_path: Path) -> None:
    """A unit whose start was cut off by kill -9 is found by its name, and is stopped."""
    with site_with(manager, tmp_path, SILENT) as site:
        visitor = site.hub.visitor()
        assert visitor.log_in(site.user, PASSWORD).location
        token = site.hub.token(site.user)
        visitor.get(f"hub/spawn/{site.user}")
        until(lambda: manager.control("is-active", site.unit) == "active", "the unit", every=0.01)
        site.hub.restart()
        site.hub.wait_server(site.user, token, running=False)
        assert "Failed" in visitor.get("hub/home").text
        assert manager.control("is-active", site.unit) != "active"
