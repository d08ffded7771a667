"""Carrel's hub and its data plane, with a server that is stopped and started and whose route gets lost."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import under_test
from tests.rigs.visitor import Reply, Visitor, authorization

pytestmark = [pytest.mark.real, only_carrel, pytest.mark.timeout(120)]

#: What an open JupyterLab asks for, again and again.
POLLS = ("api/kernels", "api/sessions", "api/terminals", "lab/api/workspaces/default", "api/contents/a.ipynb")


class Lesson:
    """A hub, ada's server, and the administrator's token."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        self.visitor = hub.visitor()
        self.visitor.log_in("ada", PASSWORD, "/hub/home")
        self.token = hub.token("admin")

    def start(self) -> None:
        self.hub.api("POST", "users/ada/server", token=self.token)
        self.hub.wait_server("ada", self.token)

    def stop(self) -> None:
        assert self.hub.api("DELETE", "users/ada/server", token=self.token).status in (202, 204)
        self.hub.wait_server("ada", self.token, running=False)

    def poll(self, name: str = "ada") -> list[Reply]:
        """Ask as an open tab does."""
        return [self._call("GET", f"user/{name}/{path}") for path in POLLS]

    def save(self, name: str = "ada") -> Reply:
        """Save a notebook."""
        return self._call("PUT", f"user/{name}/api/contents/a.ipynb", b"{}")

    def _call(self, method: str, path: str, body: bytes | None = None) -> Reply:
        headers = {"Accept": "application/json", "Referer": f"{self.hub.public_url}user/ada/lab"}
        return self.visitor.request(method, path, body=body, headers=headers)

    def websocket(self) -> str:
        """Return what comes back over a kernel's websocket."""
        url = self.hub.public_url.replace("http:", "ws:") + "user/ada/api/kernels/1/channels"
        with connect(url, proxy=None) as socket:
            socket.send("hello")
            return str(socket.recv(timeout=10))

    def asked(self) -> int:
        """Return how many requests for servers the hub has answered."""
        return len(re.findall(r" (?:GET|PUT) /user/\w+/\S*api/", self.hub.log))

    def workers(self) -> int:
        """Return how many processes forward."""
        return len(json.loads(self._data_plane("GET", "api/status").body)["workers"])

    def lose_route(self) -> None:
        """Remove ada's route without telling the hub."""
        assert self._data_plane("DELETE", "api/routes/user/ada").status == 204

    def _data_plane(self, method: str, path: str) -> Reply:
        secret = (self.hub.directory / "carrel-run" / "proxy-token").read_text()
        api = Visitor(f"http://127.0.0.1:{self.hub.ports.proxy_api}/")
        return api.request(method, path, headers=authorization(secret))


@pytest.fixture
def lesson(tmp_path: Path) -> Iterator[Lesson]:
    with HubProcess(under_test(), tmp_path, class_config(tmp_path, STUB)) as hub:
        yield Lesson(hub)


def test_a_stopped_server_costs_the_hub_a_handful_of_requests(lesson: Lesson) -> None:
    lesson.start()
    assert {reply.status for reply in lesson.poll()} == {200}
    assert lesson.websocket() == "hello"
    lesson.stop()

    before, began = lesson.asked(), time.monotonic()
    replies = [reply for _ in range(40) for reply in (*lesson.poll(), lesson.save())]
    assert {reply.status for reply in replies} == {424}
    assert len({reply.body for reply in replies}) == 1
    with pytest.raises(InvalidStatus) as refused:
        lesson.websocket()
    assert refused.value.response.status_code == 424
    assert refused.value.response.headers["Retry-After"] == "5"
    # Below the server's address it heard once of `api` and once of `lab`, every five seconds, of each worker.
    most = 2 * (1 + (time.monotonic() - began) / 5) * lesson.workers()
    assert 1 <= lesson.asked() - before <= most

    lesson.start()
    assert {reply.status for reply in lesson.poll()} == {200}
    assert lesson.websocket() == "hello"


def test_nothing_tells_which_users_there_are(lesson: Lesson) -> None:
    def said(name: str) -> set[tuple[int, str, str]]:
        return {
            (
                reply.status,
                reply.headers["Retry-After"],
                json.loads(reply.body)["message"].replace(name, "NAME"),
            )
            for _ in range(3)
            for reply in (*lesson.poll(name), lesson.save(name))
        }

    assert said("ada") == said("nobody")
    assert len(said("ada")) == 1


def test_a_lost_route_is_mended_by_the_calls_of_an_open_tab(lesson: Lesson) -> None:
    """Without them the hub would look once a minute."""
    lesson.start()
    lesson.lose_route()
    until(lambda: {reply.status for reply in lesson.poll()} == {200}, "the route is back", 20)
