"""Servers of several spawners on a real hub, which is killed and comes back with another configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel
from tests.rigs.visitor import Reply, Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

CAMP = """
from carrel.spawners.simple import SimpleLocalProcessSpawner

class Tent(SimpleLocalProcessSpawner):
    async def stop(self, now=False):
        await super().stop(now)
        print("a tent is down, from", self.environment.get("PLACE"), flush=True)
"""
CONFIG = """
import sys
sys.path.insert(0, %r)
c.Spawner.poll_interval = 1
load_subconfig("changes.py")
"""
FIRST = """
c.Profiles.profiles = [
    {"id": "plain", "title": "Plain"},
    {"id": "tent", "spawner": "camp.Tent", "overrides": {"environment": {"PLACE": "hill"}}},
]
"""
ONE_OF_OURS = "c.JupyterHub.spawner_class = 'localprocess'\n"
FOREIGN = """
c.ProfilesSpawner.profiles = [
    ("A tent", "tent", "camp.Tent", {"environment": {"PLACE": "valley"}}),
    ("Plain", "plain", "jupyterhub.spawner.SimpleLocalProcessSpawner", {}),
]
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    (tmp_path / "camp.py").write_text(CAMP)
    (tmp_path / "changes.py").write_text(FIRST)
    with HubProcess(carrel(), tmp_path, class_config(tmp_path, STUB) + CONFIG % str(tmp_path)) as hub:
        yield hub


def configure(hub: HubProcess, text: str) -> None:
    """Kill the hub and start it with another configuration."""
    hub.kill9()
    (hub.directory / "changes.py").write_text(text)
    hub.start()


def signed_in(hub: HubProcess, name: str) -> tuple[Visitor, str]:
    visitor = hub.visitor()
    assert visitor.log_in(name, PASSWORD).location
    return visitor, hub.token(name)


def start(hub: HubProcess, name: str, token: str, **choice: object) -> Reply:
    return hub.api("POST", f"users/{name}/server", token=token, body=json.dumps(choice).encode())


def test_servers_are_stopped_by_what_started_them_whatever_the_configuration_says(hub: HubProcess) -> None:
    ada, adas = signed_in(hub, "ada")
    _, beas = signed_in(hub, "bea")
    assert start(hub, "ada", adas, profile="tent").status in (201, 202)
    assert start(hub, "bea", beas, profile="plain").status in (201, 202)
    hub.wait_server("ada", adas)
    hub.wait_server("bea", beas)
    places = {processes.environment(pid).get("PLACE") for pid in hub.servers()}
    assert places == {"hill", None}

    configure(hub, ONE_OF_OURS)
    assert ada.get("user/ada/page").status == 200
    hub.stop_server("bea", beas)
    (tent,) = hub.servers()
    assert hub.api("DELETE", "users/ada/server", token=adas).status == 202
    until(lambda: "cannot be stopped" in ada.get("hub/home").text, "the page to say so")
    assert "its spawner camp.Tent is neither in the configuration nor installed" in ada.get("hub/home").text
    assert processes.is_alive(tent)

    configure(hub, ONE_OF_OURS + "c.Profiles.spawners = ['camp.Tent']\n")
    hub.wait_server("ada", adas, running=False)
    assert "a tent is down" in hub.log
    assert hub.servers() == []


def test_a_list_for_wrapspawner_serves_where_there_is_none(hub: HubProcess) -> None:
    configure(hub, FOREIGN)
    ada, token = signed_in(hub, "ada")
    form = ada.get("hub/spawn")
    assert "A tent" in form.text
    sent = ada.post_form("hub/spawn", {"profile": "tent", "_xsrf": ada.xsrf_token(form)})
    assert sent.location, sent.text
    hub.wait_server("ada", token)
    hub.restart()
    hub.stop_server("ada", token)
    assert "a tent is down, from valley" in hub.log
    assert "Traceback" not in hub.log
