"""A server that is no Jupyter: any application behind `carrel-app`, at a real hub and its data plane."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import application_app
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, class_config
from tests.rigs.systems import under_test
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
COMMAND = [sys.executable, "-m", "carrel_client.application", "--"]
APPLICATION = [sys.executable, str(application_app.__file__), "{port}", "{base_url}"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("applications")
    config = class_config(directory, [*COMMAND, *APPLICATION]) + "c.Spawner.args = []\n"
    with HubProcess(under_test(), directory, config) as hub:
        yield hub


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    return hub.token("admin")


@pytest.fixture(scope="module")
def ada(hub: HubProcess, token: str) -> Visitor:
    visitor = hub.visitor()
    visitor.log_in("ada", PASSWORD)
    hub.api("POST", "users/ada/server", token=token)
    hub.wait_server("ada", token)
    return visitor


def test_its_owner_signs_in_once_and_is_known_by_name(ada: Visitor) -> None:
    shown = ada.follow("user/ada/hello").json()
    assert shown["path"] == "/user/ada/hello"
    headers = dict(shown["headers"])
    assert headers["X-Forwarded-User"] == "ada"
    assert "jupyterhub-user-ada" not in headers.get("Cookie", "")


def test_websockets_pass_with_the_log_in_alone(hub: HubProcess, ada: Visitor) -> None:
    ada.follow("user/ada/hello")
    url = f"{hub.public_url.replace('http', 'ws', 1)}user/ada/ws"
    with connect(url, additional_headers={"Cookie": ada.cookie_header("user/ada/ws")}) as channel:
        channel.send("hello")
        assert channel.recv(timeout=10) == "echo hello"
    with pytest.raises(InvalidStatus) as refused:
        connect(url)
    assert refused.value.response.status_code == 403


def test_others_are_told_whose_it_is(hub: HubProcess, ada: Visitor) -> None:
    bea = hub.visitor()
    bea.log_in("bea", PASSWORD)
    assert bea.follow("user/ada/hello").status == 403


def test_it_ends_with_its_server(hub: HubProcess, ada: Visitor, token: str) -> None:
    assert len(hub.servers()) == 2, "carrel-app and what stands behind it"
    hub.stop_server("ada", token)
    until(lambda: hub.servers() == [], "both to be gone")
