"""HTTPS on the public side: log-in, a real notebook server, its websocket, and who is turned away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.dataplane.authority import Authority
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import CARREL, PASSWORD, class_config
from tests.rigs.systems import free_port, under_test
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


class Lesson:
    """A hub that serves HTTPS, and ada, who has logged in and opened her server."""

    def __init__(self, hub: HubProcess, authority: Authority, plain_port: int) -> None:
        self.hub = hub
        self.authority = authority
        self.plain_port = plain_port
        self.ada = hub.visitor()
        self.log_in = self.ada.log_in("ada", PASSWORD, "/hub/home")
        self.token = hub.token("ada")
        hub.api("POST", "users/ada/server", token=self.token)
        hub.wait_server("ada", self.token)
        self.page = self.ada.follow("user/ada/lab")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lesson]:
    directory: Path = tmp_path_factory.mktemp("tls")
    authority = Authority(directory)
    made, plain = authority.sign("hub"), free_port()
    config = class_config(directory, CARREL.command()) + (
        f"c.JupyterHub.ssl_key = {made.key.name!r}\nc.JupyterHub.ssl_cert = {made.cert.name!r}\n"
        f"c.ConfigurableHTTPProxy.command = ['configurable-http-proxy', '--redirect-port', '{plain}']\n"
    )
    with HubProcess(under_test(), directory, config, trust=authority.visitor()) as hub:
        yield Lesson(hub, authority, plain)


def test_every_cookie_of_the_hub_and_the_log_in_is_for_https_alone(lesson: Lesson) -> None:
    found = {(cookie.name, cookie.path): cookie.secure for cookie in lesson.ada.cookies}
    # Jupyter's own token against forged requests says nothing of TLS, and opens nothing.
    found.pop(("_xsrf", "/user/ada/"), None)
    names = {name for name, _ in found}
    assert {"jupyterhub-hub-login", "jupyterhub-session-id", "_xsrf", "jupyterhub-user-ada"} <= names
    assert [name for name, secure in found.items() if not secure] == []


def test_redirects_stay_on_https(lesson: Lesson) -> None:
    assert lesson.page.status == 200
    assert lesson.page.url.startswith(lesson.hub.public_url)
    assert lesson.log_in.headers["Location"].startswith("/")
    root = Visitor(lesson.hub.public_url, lesson.authority.visitor()).get("")
    assert root.location.startswith(f"{lesson.hub.public_url}hub/")


def test_a_websocket_opens(lesson: Lesson) -> None:
    path = "user/ada/api/events/subscribe"
    url = f"{lesson.hub.public_url}{path}".replace("https", "wss", 1)
    headers = {"Cookie": lesson.ada.cookie_header(path)}
    trust = lesson.authority.visitor()
    with connect(url, ssl=trust, additional_headers=headers, proxy=None) as socket:
        assert socket.ping().wait(30)


def test_plain_http_is_led_to_https(lesson: Lesson) -> None:
    reply = Visitor(f"http://127.0.0.1:{lesson.plain_port}/").get("hub/login?next=%2Fhub%2Fhome")
    assert reply.status in {301, 302, 307, 308}
    assert reply.location == f"{lesson.hub.public_url}hub/login?next=%2Fhub%2Fhome"


def test_the_api_names_https_in_its_links(lesson: Lesson) -> None:
    headers = {
        "Authorization": f"token {lesson.hub.token('admin')}",
        "Accept": "application/jupyterhub-pagination+json",
    }
    page = lesson.ada.request("GET", "hub/api/users?limit=1", headers=headers).json()
    assert page["_pagination"]["next"]["url"].startswith(lesson.hub.public_url)


def test_the_hub_says_where_it_is(lesson: Lesson) -> None:
    assert f"Carrel is at {lesson.hub.public_url}" in lesson.hub.log


def test_nobody_who_does_not_know_the_authority_gets_in(lesson: Lesson) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        Visitor(lesson.hub.public_url).get("hub/login")
