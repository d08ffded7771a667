"""A whole hub that is not root, with SudoSpawner: started, used, killed, refused."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.environment import PublicEnvironment, public_environment
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD
from tests.rigs.sudo import SudoSite, sudo_site
from tests.rigs.systems import System
from tests.rigs.visitor import Visitor
from tests.spawners.rig import STUB

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
# A plug-in of that name is installed in this environment, and keeps the short one.
CONFIG = """
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'carrel.spawners.sudo.SudoSpawner'
c.SudoSpawner.helper_path = {helper!r}
c.SudoSpawner.policy_file = {policy!r}
c.Spawner.cmd = [{program!r}]
c.Spawner.args = ['serve']
c.Spawner.poll_interval = 1
"""


@pytest.fixture(scope="module")
def environment() -> Iterator[PublicEnvironment]:
    with public_environment() as environment:
        environment.script("small-server", STUB.read_text())
        yield environment


@pytest.fixture(scope="module")
def site(environment: PublicEnvironment) -> Iterator[SudoSite]:
    with sudo_site() as site:
        site.allow([str(environment.python.with_name("small-server"))], arguments=["serve"])
        yield site


@pytest.fixture(scope="module")
def hub(environment: PublicEnvironment, site: SudoSite) -> Iterator[HubProcess]:
    directory = environment.place / "hub"
    directory.mkdir()
    shutil.chown(directory, site.hub, site.hub)
    system = System(
        "carrel without root",
        tuple(site.as_hub(str(environment.python), "-m", "carrel")),
        environment={"HOME": f"/home/{site.hub}", "USER": site.hub},
    )
    config = CONFIG.format(
        password=PASSWORD, helper=str(site.helper), policy=str(site.policy), program="small-server"
    )
    with HubProcess(system, directory, config) as hub:
        yield hub


def start(hub: HubProcess, user: str) -> tuple[Visitor, str]:
    visitor = hub.visitor()
    assert visitor.log_in(user, PASSWORD).location
    visitor.get(f"hub/spawn/{user}")
    return visitor, hub.token(user)


def test_a_server_outlives_the_hub_and_is_used_and_stopped(hub: HubProcess, site: SudoSite) -> None:
    visitor, token = start(hub, site.user)
    hub.wait_server(site.user, token)
    (pid,) = hub.servers()
    report = visitor.get(f"user/{site.user}/").json()
    assert (report["pid"], report["cwd"]) == (pid, f"/home/{site.user}")
    assert Path(f"/proc/{pid}").owner() == site.user
    assert Path(f"/proc/{hub.pid}").owner() == site.hub
    hub.restart()
    hub.wait_server(site.user, token)
    assert visitor.get(f"user/{site.user}/").json()["pid"] == pid
    hub.stop_server(site.user, token)
    assert not processes.is_alive(pid)


def test_a_start_that_a_kill_cut_off_leaves_nothing_unowned(hub: HubProcess, site: SudoSite) -> None:
    visitor, token = start(hub, site.user)
    until(hub.servers, "the process of the server", every=0.002)
    hub.restart()
    hub.wait_server(site.user, token)
    (pid,) = hub.servers()
    assert visitor.get(f"user/{site.user}/").json()["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    hub.wait_server(site.user, token, running=False)
    assert "ended" in visitor.get("hub/home").text


def test_what_the_rules_do_not_allow_is_said_on_the_page(hub: HubProcess, site: SudoSite) -> None:
    visitor, token = start(hub, site.stranger)
    hub.wait_server(site.stranger, token, running=False)
    page = visitor.get(f"hub/spawn-pending/{site.stranger}").text
    assert "sudo did not let the hub start the server" in page
