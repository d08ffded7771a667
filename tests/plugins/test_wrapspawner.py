"""wrapspawner starts one of several spawners, which a form lets people choose."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.rigs import processes
from tests.rigs.accounts import temporary_account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.visitor import Visitor
from tests.spawners.rig import STUB as PLAIN_STUB
from tests.spawners.rig import usable_python

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "wrapspawner"
BACK_END = "processes of this machine"
NOTES = (
    "What a local process's own driver does to find a server whose start was cut off by kill -9 before its"
    " checkpoint, it does not do inside another one.",
)

PROFILES = """
c.JupyterHub.spawner_class = 'wrapspawner.ProfilesSpawner'
c.Spawner.poll_interval = 1
SIMPLE = 'jupyterhub.spawner.SimpleLocalProcessSpawner'
c.ProfilesSpawner.profiles = [
    ('A small one', 'small', SIMPLE, {'environment': {'SIZE': 'small'}}),
    ('A large one', 'large', SIMPLE, {'environment': {'SIZE': 'large'}}),
    ('Your own account', 'own', 'jupyterhub.spawner.LocalProcessSpawner', {'cmd': %r}),
]
"""


@pytest.fixture
def readable() -> Iterator[Path]:
    """A directory that every account may enter."""
    place = Path(tempfile.mkdtemp(prefix="carrel-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def hub(tmp_path: Path, readable: Path) -> Iterator[HubProcess]:
    program = readable / "server.py"
    shutil.copy(PLAIN_STUB, program)
    program.chmod(0o644)
    command = [usable_python(), "-S", str(program), "serve"]
    config = class_config(tmp_path, STUB) + PROFILES % command
    with HubProcess(carrel_with_plugins(), tmp_path, config) as hub:
        yield hub


def start(hub: HubProcess, user: str, profile: str) -> tuple[Visitor, str]:
    """Log in, choose a profile in the form, and return the visitor and an API token."""
    visitor = hub.visitor()
    assert visitor.log_in(user, PASSWORD).location
    form = visitor.get(f"hub/spawn/{user}")
    assert f'<option value="{profile}"' in form.text
    sent = visitor.post_form(f"hub/spawn/{user}", {"profile": profile, "_xsrf": visitor.xsrf_token(form)})
    assert sent.location, sent.text
    token = hub.token(user)
    hub.wait_server(user, token)
    return visitor, token


def environment(hub: HubProcess) -> dict[str, str]:
    (pid,) = hub.servers()
    return processes.environment(pid)


def test_the_chosen_profile_starts_is_used_and_stops(hub: HubProcess) -> None:
    """People choose a profile in the form; its spawner starts their server with its settings."""
    for profile in ("large", "small"):
        visitor, token = start(hub, "ada", profile)
        assert environment(hub)["SIZE"] == profile
        assert visitor.get("user/ada/page").text.startswith("ada ")
        hub.stop_server("ada", token)
        assert hub.servers() == []


def test_a_server_survives_the_hub_and_is_stopped_by_the_next_one(hub: HubProcess) -> None:
    """A hub that is killed leaves servers running; the next one knows their profile and stops them."""
    visitor, token = start(hub, "ada", "large")
    (server,) = hub.servers()
    hub.restart()
    assert visitor.get("user/ada/page").text == f"ada {server}\n"
    hub.stop_server("ada", token)
    assert not processes.is_alive(server)


def test_one_that_is_killed_is_found_dead(hub: HubProcess) -> None:
    """A server that is killed is told of on its owner's page."""
    visitor, token = start(hub, "ada", "small")
    os.kill(hub.servers()[0], signal.SIGKILL)
    hub.wait_server("ada", token, running=False)
    assert "was killed (SIGKILL)" in visitor.get("hub/home").text


def test_a_profile_may_start_servers_with_their_owners_rights(hub: HubProcess) -> None:
    """One profile uses LocalProcessSpawner: the server runs as its owner, beside others that do not."""
    need(os.geteuid() == 0, "root")
    with temporary_account() as account:
        _, token = start(hub, account.name, "own")
        (server,) = hub.servers()
        assert Path(f"/proc/{server}").owner() == account.name
        start(hub, "ada", "small")
        assert len(hub.servers()) == 2
        hub.stop_server(account.name, token)
        assert not processes.is_alive(server)


def test_progress_is_that_of_the_chosen_spawner(hub: HubProcess) -> None:
    """The pending page shows the steps that the chosen spawner tells of."""
    _, token = start(hub, "ada", "small")
    told = hub.api("GET", "users/ada/server/progress", token=token).text
    assert '"ready": true' in told or '"ready":true' in told
    assert "progress() of ProfilesSpawner failed" not in hub.log
    assert "Traceback" not in hub.log
