"""The unmodified single-user servers of JupyterHub 5 and 6 find everything that their hub would give them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import JUPYTERHUB_5, JUPYTERHUB_6, PASSWORD, Singleuser, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

NEEDED = {
    "JUPYTERHUB_API_TOKEN",
    "JPY_API_TOKEN",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_HOST",
    "JUPYTERHUB_OAUTH_CALLBACK_URL",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES",
    "JUPYTERHUB_OAUTH_SCOPES",
    "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES",
    "JUPYTERHUB_USER",
    "JUPYTERHUB_SERVER_NAME",
    "JUPYTERHUB_API_URL",
    "JUPYTERHUB_ACTIVITY_URL",
    "JUPYTERHUB_BASE_URL",
    "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL",
    "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED",
    "JUPYTERHUB_DEFAULT_URL",
    "HOME",
    "USER",
    "SHELL",
    "PATH",
}


class Lesson:
    """A hub, ada's running server, and the administrator's token."""

    def __init__(self, hub: HubProcess, program: Path) -> None:
        self.hub = hub
        self.program = program
        hub.visitor().log_in("ada", PASSWORD, "/hub/home")
        self.token = hub.token("admin")
        hub.api("POST", "users/ada/server", token=self.token)
        hub.wait_server("ada", self.token)

    def environment(self) -> dict[str, str]:
        """Return what the server was started with."""
        return processes.environment(min(self.hub.servers()))

    def log(self) -> str:
        """Return all that the hub and ada's server printed."""
        files = [self.hub.log_file, *self.hub.directory.glob("carrel-run/logs/*")]
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.fixture(scope="module", params=[JUPYTERHUB_6, JUPYTERHUB_5], ids=lambda singleuser: singleuser.name)
def lesson(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lesson]:
    singleuser: Singleuser = request.param
    directory: Path = tmp_path_factory.mktemp("compat")
    config = class_config(directory, singleuser.command()) + "c.JupyterHub.allow_named_servers = True\n"
    with HubProcess(under_test(), directory, config) as hub:
        yield Lesson(hub, singleuser.program)


def test_the_whole_environment_is_given(lesson: Lesson) -> None:
    found = lesson.environment()
    assert found.keys() >= NEEDED
    assert found["JUPYTERHUB_USER"] == "ada"
    assert found["JUPYTERHUB_SERVICE_PREFIX"] == "/user/ada/"
    assert found["JUPYTERHUB_CLIENT_ID"] == "jupyterhub-user-ada"
    assert found["JUPYTERHUB_OAUTH_CALLBACK_URL"] == "/user/ada/oauth_callback"
    assert "access:servers!server=ada/" in json.loads(found["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])
    assert re.fullmatch(r"[0-9a-f]{32}", found["JUPYTERHUB_API_TOKEN"])
    assert found["JPY_API_TOKEN"] == found["JUPYTERHUB_API_TOKEN"]


def test_nothing_of_the_hub_s_own_is_given(lesson: Lesson) -> None:
    secrets = {"CONFIGPROXY_AUTH_TOKEN", "JPY_COOKIE_SECRET", "JUPYTERHUB_CRYPT_KEY"}
    assert not secrets & lesson.environment().keys()


def test_the_server_is_content_with_the_hub(lesson: Lesson) -> None:
    complaints = [
        line for line in lesson.log().splitlines() if "jupyterhub version" in line.lower() and "WARN" in line
    ]
    assert complaints == []
    assert "Traceback" not in lesson.log()


def test_activity_arrives(lesson: Lesson) -> None:
    def server() -> dict[str, object]:
        model = lesson.hub.api("GET", "users/ada", token=lesson.token).json()
        return dict(model["servers"][""])

    until(lambda: server()["last_activity"], "the first report of activity")
    assert server()["ready"] is True
    assert server()["pending"] is None


def test_the_server_s_token_may_speak_for_it_alone(lesson: Lesson) -> None:
    token = lesson.environment()["JUPYTERHUB_API_TOKEN"]
    identity = lesson.hub.api("GET", "user", token=token).json()
    assert identity["name"] == "ada"
    assert "access:servers!server=ada/" in identity["scopes"]
    assert "users:activity!user=ada" in identity["scopes"]
    assert lesson.hub.api("GET", "users", token=token).status == 403
    assert lesson.hub.api("DELETE", "users/ada/server", token=token).status == 403


def test_jupyterlab_knows_its_hub(lesson: Lesson) -> None:
    ada = lesson.hub.visitor()
    ada.log_in("ada", PASSWORD, "/hub/home")
    page = ada.follow("user/ada/lab")
    assert page.status == 200
    found = re.search(
        r'<script id="jupyter-config-data" type="application/json">\s*(.*?)\s*</script>', page.text, re.S
    )
    assert found
    config = json.loads(found[1])
    assert config["hubUser"] == "ada"
    assert config["hubPrefix"] == "/hub/"
    assert config["hubServerUser"] == "ada"


@pytest.fixture
def alike(lesson: Lesson) -> Iterator[dict[str, str]]:
    """Ada's server gpu and the one of ada-gpu, both running: whose they are, by their paths."""
    hub, paths = lesson.hub, {"ada": "users/ada/servers/gpu", "ada-gpu": "users/ada-gpu/server"}

    def are_ready() -> bool:
        return all(hub.api("GET", path, token=lesson.token).json()["ready"] for path in paths.values())

    def others() -> set[int]:
        return {pid for pid in hub.servers() if _prefix(pid) != "/user/ada/"}

    for name, path in paths.items():
        hub.visitor().log_in(name, PASSWORD, "/hub/home")
        assert hub.api("POST", path, token=lesson.token).status in {201, 202}
    until(are_ready, "both servers to be ready", 60, every=0.2)
    yield {"ada": "user/ada/gpu/", "ada-gpu": "user/ada-gpu/"}
    for path in paths.values():
        hub.api("DELETE", path, token=lesson.token)
    until(lambda: not others(), "both servers to end", 30)


def _prefix(pid: int) -> str:
    return processes.environment(pid).get("JUPYTERHUB_SERVICE_PREFIX", "")


def test_servers_whose_names_are_alike_tell_their_visitors_apart(
    lesson: Lesson, alike: dict[str, str]
) -> None:
    for name, place in alike.items():
        visitor = lesson.hub.visitor()
        visitor.log_in(name, PASSWORD, "/hub/home")
        assert visitor.follow(f"{place}lab").status == 200
        # The second time by the cookie, whose name is the server's client id.
        assert visitor.get(f"{place}api/contents").status == 200
    ada = lesson.hub.visitor()
    ada.log_in("ada", PASSWORD, "/hub/home")
    assert ada.follow("user/ada-gpu/lab").status in {403, 404}


def test_logging_out_at_the_server_logs_out_of_the_hub(lesson: Lesson) -> None:
    ada = lesson.hub.visitor()
    ada.log_in("ada", PASSWORD, "/hub/home")
    assert ada.follow("user/ada/lab").status == 200
    ada.follow("user/ada/logout")
    assert urlsplit(ada.follow("user/ada/lab").url).path == "/hub/login"


def test_jupyterhub_s_own_client_understands_the_hub(lesson: Lesson) -> None:
    script = (
        "import os, json; from jupyterhub.services.auth import HubAuth; "
        "auth = HubAuth(); print(json.dumps(auth.user_for_token(os.environ['TOKEN'])))"
    )
    asked = subprocess.run(
        [str(lesson.program.with_name("python")), "-c", script],
        env=lesson.environment() | {"TOKEN": lesson.hub.token("ada")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    identity = json.loads(asked.stdout)
    assert identity["name"] == "ada"
    assert identity["kind"] == "user"


def test_a_stopped_server_is_gone_and_starts_anew(lesson: Lesson) -> None:
    first = lesson.environment()["JUPYTERHUB_API_TOKEN"]
    assert lesson.hub.api("DELETE", "users/ada/server", token=lesson.token).status in {202, 204}
    lesson.hub.wait_server("ada", lesson.token, running=False)
    until(lambda: not lesson.hub.servers(), "the server to end")
    assert lesson.hub.api("GET", "user", token=first).status in {401, 403}
    lesson.hub.api("POST", "users/ada/server", token=lesson.token)
    lesson.hub.wait_server("ada", lesson.token)
    assert lesson.environment()["JUPYTERHUB_API_TOKEN"] != first
