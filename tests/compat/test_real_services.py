"""Services that others wrote, unmodified and from environments of their own, with Carrel as their hub."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import JUPYTERHUB, carrel, free_port
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

WHOAMI = ROOT / "tests" / "rigs" / "whoami_service.py"
EXTERNAL_TOKEN = "the-external-services-token"


def _hub(directory: Path, services: list[dict[str, Any]], roles: list[dict[str, Any]]) -> HubProcess:
    config = class_config(directory, STUB) + (
        f"c.JupyterHub.services = {services!r}\nc.JupyterHub.load_roles = {roles!r}\n"
        # The culler looks at what was written, and this is an idle hub.
        "c.JupyterHub.activity_resolution = 1\n"
    )
    return HubProcess(carrel(), directory, config)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with such services: one asks its visitors, the others are trusted by the configuration.

    `ours` is the same program with Carrel's own `jupyterhub.services.auth`.
    """
    python = JUPYTERHUB / "bin" / "python"
    need(python.exists(), "JupyterHub 6.1")
    ours = [*carrel().command, "python"]
    services = [
        {
            "name": name,
            "url": f"http://127.0.0.1:{free_port()}",
            "command": [*(ours if name == "ours" else [str(python)]), str(WHOAMI)],
            "oauth_no_confirm": name != "asks",
            "oauth_client_allowed_scopes": ["read:servers!user", "shutdown"],
        }
        for name in ("asks", "trusted", "ours")
    ]
    scopes = [f"access:services!service={service['name']}" for service in services]
    role = {"name": "visitor", "scopes": scopes, "users": ["alice"]}
    with _hub(tmp_path_factory.mktemp("whoami"), services, [role]) as hub:
        for service in services:
            path = f"services/{service['name']}/"
            until(lambda path=path: hub.visitor().get(path).status == 302, path, 60)  # type: ignore[misc]
        yield hub


def _signed_in(hub: HubProcess, name: str) -> Visitor:
    visitor = hub.visitor()
    assert visitor.log_in(name, PASSWORD).location
    return visitor


class TestHubOAuth:
    """JupyterHub's own log-in for services."""

    @pytest.mark.parametrize("name", ["trusted", "ours"])
    def test_who_may_visit_it_is_known_there_and_may_do_no_more_than_was_allowed(
        self, two: HubProcess, name: str
    ) -> None:
        page = _signed_in(two, "alice").follow(f"services/{name}/")
        assert page.status == 200, page.text
        model = page.json()
        assert (model["name"], model["kind"]) == ("alice", "user")
        assert f"access:services!service={name}" in model["scopes"]
        assert "read:servers!user=alice" in model["scopes"]
        assert not {"shutdown", "access:services!service=asks", "servers!user=alice"} & set(model["scopes"])

    @pytest.mark.parametrize("name", ["trusted", "ours"])
    def test_who_may_not_is_refused(self, two: HubProcess, name: str) -> None:
        assert _signed_in(two, "bob").follow(f"services/{name}/").status == 403

    def test_one_that_is_not_trusted_asks_first(self, two: HubProcess) -> None:
        alice = _signed_in(two, "alice")
        question = alice.follow("services/asks/")
        assert question.status == 200
        assert "/hub/api/oauth2/authorize" in question.url
        place = question.url.removeprefix(two.public_url)
        agreed = alice.post_form(place, {"_xsrf": alice.xsrf_token(question)})
        assert agreed.location
        assert alice.follow(agreed.location).json()["name"] == "alice"

    @pytest.mark.parametrize("name", ["trusted", "ours"])
    def test_a_token_of_somebody_with_access(self, two: HubProcess, name: str) -> None:
        for user, status in (("alice", 200), ("bob", 403)):
            _signed_in(two, user)
            reply = two.visitor().get(f"services/{name}/", token=two.token(user))
            assert reply.status == status, reply.text


class TestExternal:
    """A service on `carrel_client` that somebody else runs."""

    def test_it_is_found_behind_its_route_before_and_after_it_runs(self, tmp_path: Path) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        service = {"name": "asgi", "url": url, "api_token": EXTERNAL_TOKEN, "oauth_no_confirm": True}
        role = {"name": "user", "scopes": ["self", "access:services!service=asgi"]}
        with _hub(tmp_path, [{**service, "timeout": 1}], [role]) as hub:
            until(lambda: "External service asgi does not answer" in hub.log, "the warning")
            assert hub.visitor().get("services/asgi/health").status == 503
            env = {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "JUPYTERHUB_API_TOKEN": EXTERNAL_TOKEN,
                "JUPYTERHUB_API_URL": hub.hub_api_url,
                "JUPYTERHUB_SERVICE_NAME": "asgi",
                "JUPYTERHUB_SERVICE_URL": url,
            }
            program = ROOT / "examples" / "service-asgi" / "hello_asgi.py"
            process = subprocess.Popen([sys.executable, str(program)], env=os.environ | env, cwd=tmp_path)
            try:
                health = "services/asgi/health"
                until(lambda: hub.visitor().get(health).text == "well", "the service to answer")
                alice = hub.visitor()
                assert alice.log_in("alice", PASSWORD).location
                page = alice.follow("services/asgi/")
                assert ", alice</h1>" in page.text
                token = hub.token("alice")
                assert alice.get("services/asgi/api/me", token=token).json()["name"] == "alice"
            finally:
                processes.end([process.pid])
                process.wait()
