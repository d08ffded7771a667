"""A host for every user, with a real hub, data plane and notebook server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import CARREL, PASSWORD, class_config
from tests.rigs.systems import under_test
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


class Lesson:
    """A hub whose users have hosts of their own, and ada, who has opened her server."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        port = hub.ports.public
        self.url, self.adas = f"http://hub.example.org:{port}/", f"http://ada.hub.example.org:{port}/"
        self.ada = Visitor(self.url, loopback=True)
        self.ada.log_in("ada", PASSWORD)
        self.token = hub.token("ada")
        hub.api("POST", "users/ada/server", token=self.token)
        hub.wait_server("ada", self.token)
        self.page = self.ada.follow("hub/spawn?next=%2Fuser%2Fada%2Flab")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lesson]:
    directory: Path = tmp_path_factory.mktemp("hosts")
    running = HubProcess(under_test(), directory, "")
    address = f"http://hub.example.org:{running.ports.public}"
    running._config = class_config(directory, CARREL.command()) + (
        f"c.JupyterHub.subdomain_host = {address!r}\n"
        "c.JupyterHub.services = [{'name': 'board', 'url': 'http://127.0.0.1:9'}]\n"
    )
    with running as hub:
        yield Lesson(hub)


def test_the_server_is_on_the_users_host_alone(lesson: Lesson) -> None:
    assert (lesson.page.status, lesson.page.url) == (200, f"{lesson.adas}user/ada/lab")
    cookies = {cookie.name: cookie.domain for cookie in lesson.ada.cookies}
    assert cookies["jupyterhub-user-ada"].startswith("ada.hub.example.org")
    assert cookies["jupyterhub-hub-login"].startswith("hub.example.org")
    assert cookies["jupyterhub-session-id"].strip(".") == "hub.example.org"
    assert "jupyterhub-hub-login" not in lesson.ada.cookie_header(f"{lesson.adas}hub/home")
    # On the hub's host it is only ever led to, never served.
    reply = lesson.ada.get(f"{lesson.url}user/ada/lab")
    assert reply.location == f"{lesson.url}hub/user/ada/lab"
    assert lesson.ada.get(reply.location).location == f"{lesson.adas}user/ada/lab"


def test_the_routes_begin_with_hosts(lesson: Lesson) -> None:
    routes = lesson.hub.api("GET", "proxy", token=lesson.hub.token("admin")).json()
    assert set(routes) == {
        "/",
        "ada.hub.example.org/user/ada/",
        "board--service.hub.example.org/services/board/",
    }


def test_they_are_found_again_by_the_next_hub(lesson: Lesson) -> None:
    lesson.hub.restart()
    assert lesson.ada.get(f"{lesson.adas}user/ada/api/status").status == 200
    assert lesson.ada.follow(f"{lesson.url}hub/spawn").url == f"{lesson.adas}user/ada/lab"


def test_another_users_host_leads_to_the_hub(lesson: Lesson) -> None:
    bea = f"http://bea.hub.example.org:{lesson.hub.ports.public}/"
    assert lesson.ada.get(f"{bea}user/ada/lab").location == f"{lesson.url}hub/user/ada/lab?redirects=1"
    assert lesson.ada.get(f"{bea}hub/home").location == f"{lesson.url}hub/home"


def test_signing_out_of_the_server_signs_out_of_the_hub(lesson: Lesson) -> None:
    assert lesson.ada.follow(f"{lesson.adas}user/ada/logout").url.startswith(lesson.url)
    assert lesson.ada.follow("hub/home").url.startswith(f"{lesson.url}hub/login")
