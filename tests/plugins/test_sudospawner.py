"""sudospawner lets a hub that is not root start servers with the rights of their owners, by rules of sudo."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.environment import PublicEnvironment, public_environment
from tests.rigs import processes
from tests.rigs.accounts import temporary_account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systems import System
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "sudospawner"
BACK_END = "sudo with a Runas_Alias and a Cmnd_Alias; the hub is not root"
NOTES = (
    "A hub that is killed in the second in which the helper starts a server leaves that one behind: without"
    " root, the next one cannot see whose it is.",
)

STUB = Path(__file__).parents[1] / "spawners" / "stub_server.py"
CONFIG = """
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'sudo'
c.SudoSpawner.sudospawner_path = {mediator!r}
c.Spawner.args = ['serve']
c.Spawner.poll_interval = 1
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A hub with an account of its own, and who its rules let it start servers for."""

    hub: HubProcess
    allowed: str
    other: str


@pytest.fixture(scope="module")
def environment() -> Iterator[PublicEnvironment]:
    need(os.geteuid() == 0, "root")
    need(shutil.which("sudo"), "sudo")
    need(shutil.which("setpriv"), "setpriv")
    with public_environment() as environment:
        environment.script("sudospawner", "from sudospawner.mediator import main\nmain()")
        # What the mediator starts is what lies beside it under this name.
        environment.script("jupyterhub-singleuser", STUB.read_text())
        yield environment


@pytest.fixture
def site(environment: PublicEnvironment) -> Iterator[Site]:
    mediator = str(environment.python.with_name("sudospawner"))
    with ExitStack() as stack:
        account, allowed, other = (stack.enter_context(temporary_account()).name for _ in range(3))
        stack.callback(_write_rules(account, allowed, mediator).unlink)
        directory = environment.place / f"hub-{account}"
        directory.mkdir()
        shutil.chown(directory, account, account)
        rights = ("setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups")
        system = System(
            "carrel without root",
            (*rights, str(environment.python), "-m", "carrel"),
            environment={"HOME": f"/home/{account}", "USER": account},
        )
        config = CONFIG.format(password=PASSWORD, mediator=mediator)
        yield Site(stack.enter_context(HubProcess(system, directory, config)), allowed, other)


def _write_rules(account: str, allowed: str, mediator: str) -> Path:
    mark = secrets.token_hex(4).upper()
    rules = Path(f"/etc/sudoers.d/carrel-test-{mark}")
    text = (
        f"Runas_Alias CARREL_USERS_{mark} = {allowed}\n"
        f"Cmnd_Alias CARREL_COMMAND_{mark} = {mediator}\n"
        f"{account} ALL=(CARREL_USERS_{mark}) NOPASSWD:CARREL_COMMAND_{mark}\n"
    )
    rules.touch(mode=0o440)
    rules.write_text(text)
    subprocess.run(["visudo", "--check", "--quiet", f"--file={rules}"], check=True)
    return rules


def start(site: Site, user: str) -> tuple[Visitor, str]:
    """Log in, ask for the server as a browser does, and return the visitor and an API token."""
    visitor = site.hub.visitor()
    assert visitor.log_in(user, PASSWORD).location
    visitor.get(f"hub/spawn/{user}")
    return visitor, site.hub.token(user)


def server_of(site: Site, user: str) -> int:
    (pid,) = (pid for pid in site.hub.servers() if processes.environment(pid).get("JUPYTERHUB_USER") == user)
    return pid


def test_a_server_is_started_used_and_stopped(site: Site) -> None:
    """The hub is not root, and the server runs as its owner, in their home."""
    visitor, token = start(site, site.allowed)
    site.hub.wait_server(site.allowed, token)
    pid = server_of(site, site.allowed)
    report = visitor.get(f"user/{site.allowed}/").json()
    assert report["pid"] == pid
    assert Path(f"/proc/{pid}").owner() == site.allowed
    assert Path(f"/proc/{site.hub.pid}").owner() not in ("root", site.allowed)
    assert report["cwd"] == f"/home/{site.allowed}"
    site.hub.stop_server(site.allowed, token)
    assert not processes.is_alive(pid)
    assert "Traceback" not in site.hub.log


def test_a_server_survives_the_hub_and_is_stopped_by_the_next_one(site: Site) -> None:
    """A hub that is killed leaves the server running; the next one, not root either, adopts and stops it."""
    visitor, token = start(site, site.allowed)
    site.hub.wait_server(site.allowed, token)
    pid = server_of(site, site.allowed)
    site.hub.restart()
    site.hub.wait_server(site.allowed, token)
    assert visitor.get(f"user/{site.allowed}/").json()["pid"] == pid
    site.hub.stop_server(site.allowed, token)
    assert not processes.is_alive(pid)


def test_one_that_is_killed_is_found_dead(site: Site) -> None:
    """A server that ends by itself is told of on its owner's page, though the hub may not signal it."""
    visitor, token = start(site, site.allowed)
    site.hub.wait_server(site.allowed, token)
    os.kill(server_of(site, site.allowed), signal.SIGKILL)
    site.hub.wait_server(site.allowed, token, running=False)
    assert "ended" in visitor.get("hub/home").text


def test_what_the_rules_do_not_allow_is_said_on_the_page(site: Site) -> None:
    """For somebody whom the rules leave out, the page says that sudo refused and what to do."""
    visitor, token = start(site, site.other)
    site.hub.wait_server(site.other, token, running=False)
    page = visitor.get(f"hub/spawn-pending/{site.other}").text
    assert "sudo did not let the hub start the server" in page
    assert "allow sudospawner for this user in sudoers" in page
    # The administrator reads on there.
    assert "password is required" in site.hub.log
