"""The example services behind Carrel and behind a real JupyterHub 6.1: who gets in, by which way, and out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import JUPYTERHUB, carrel, free_port, jupyterhub_with_carrel_proxy
from tests.rigs.visitor import Reply, Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

FRAMEWORKS = ("asgi", "tornado", "flask")
WITH_WEBSOCKETS = ("asgi", "tornado")
#: Of services that only hold a token: one may use the examples, the other may not.
FRIEND, STRANGER = "the-friends-token-of-this-test", "the-strangers-token-of-this-test"
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


def _config() -> str:
    services: list[dict[str, object]] = [
        {"name": "friend", "api_token": FRIEND},
        {"name": "stranger", "api_token": STRANGER},
    ]
    for name in FRAMEWORKS:
        program = ROOT / "examples" / f"service-{name}" / f"hello_{name}.py"
        services.append(
            {
                "name": name,
                "url": f"http://127.0.0.1:{free_port()}",
                "command": [sys.executable, str(program)],
                "environment": {"PYTHONPATH": os.pathsep.join(sys.path)},
                "oauth_no_confirm": True,
            }
        )
    scopes = [f"access:services!service={name}" for name in FRAMEWORKS]
    role = {"name": "uses-examples", "scopes": scopes, "users": ["alice"], "services": ["friend"]}
    return (
        f"c.JupyterHub.services = {services!r}\n"
        f"c.JupyterHub.load_roles = [{role!r}, {{'name': 'user', 'scopes': ['self']}}]\n"
    )


@pytest.fixture(scope="module", params=["carrel", "jupyterhub"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with the three services, up."""
    system = carrel()
    if request.param == "jupyterhub":
        need((JUPYTERHUB / "bin" / "jupyterhub").exists(), "JupyterHub 6.1")
        system = jupyterhub_with_carrel_proxy()
    directory = tmp_path_factory.mktemp("services")
    config = class_config(directory, STUB) + _config()
    with HubProcess(system, directory, config) as running:
        for name in FRAMEWORKS:
            health = f"services/{name}/health"
            until(
                lambda path=health: running.visitor().get(path).text == "well",  # type: ignore[misc]
                f"the {name} service answers",
            )
        yield running


def _signed_in(hub: HubProcess, name: str) -> Visitor:
    visitor = hub.visitor()
    assert visitor.log_in(name, PASSWORD).location
    return visitor


def _refusal(visitor: Visitor, path: str, **headers: str) -> tuple[int, str]:
    reply = visitor.request("GET", path, headers={"Accept": "application/json", **headers})
    return reply.status, str(reply.json()["message"])


def _change(visitor: Visitor, service: str, text: str, token: str) -> Reply:
    return visitor.post_form(f"services/{service}/", {"greeting": text, "_xsrf": token})


@pytest.mark.parametrize("service", FRAMEWORKS)
def test_a_log_in_leads_back_to_the_page(hub: HubProcess, service: str) -> None:
    alice = _signed_in(hub, "alice")
    page = alice.follow(f"services/{service}/?first=1&second=a%20b")
    assert page.status == 200, page.text
    assert page.url == f"{hub.public_url}services/{service}/?first=1&second=a%20b"
    assert ", alice</h1>" in page.text
    login = alice.cookie(f"service-{service}", f"/services/{service}/")
    assert login is not None
    assert login.has_nonstandard_attr("HttpOnly")
    assert not [cookie for cookie in alice.cookies if "oauth-state" in cookie.name]


@pytest.mark.parametrize("service", FRAMEWORKS)
def test_without_the_access_scope_nobody_gets_in(hub: HubProcess, service: str) -> None:
    bob = _signed_in(hub, "bob")
    assert bob.follow(f"services/{service}/").status == 403
    assert bob.cookie(f"service-{service}", f"/services/{service}/") is None
    assert bob.request("GET", f"services/{service}/api/me", headers=FETCH).status == 403


@pytest.mark.parametrize("service", FRAMEWORKS)
@pytest.mark.parametrize("scheme", ["token", "Bearer"])
def test_a_token_in_the_header(hub: HubProcess, service: str, scheme: str) -> None:
    path = f"services/{service}/api/me"
    program = hub.visitor()
    reply = program.request("GET", path, headers={"Authorization": f"{scheme} {FRIEND}"})
    assert (reply.status, reply.json()) == (200, {"name": "friend", "groups": []})
    assert reply.headers.get_all("Set-Cookie") is None
    assert _refusal(program, path, Authorization=f"{scheme} made-up")[0] == 403
    status, message = _refusal(program, path, Authorization=f"{scheme} {STRANGER}")
    assert (status, "may not use" in message) == (403, True)
    assert "Log in first" in _refusal(program, path)[1]


@pytest.mark.parametrize("service", FRAMEWORKS)
def test_a_change_needs_the_xsrf_token_of_this_log_in(hub: HubProcess, service: str) -> None:
    alice, mallory = _signed_in(hub, "alice"), _signed_in(hub, "alice")
    page = alice.follow(f"services/{service}/")
    token = alice.xsrf_token(page)
    cookie = alice.cookie("_xsrf", f"/services/{service}/")
    assert cookie is not None
    assert cookie.value == token
    mallory.follow(f"services/{service}/")
    others = mallory.cookie("_xsrf", f"/services/{service}/")
    assert others is not None
    assert others.value
    for wrong in ("", "x", others.value):
        assert _change(alice, service, "Gotcha", wrong).status == 403
    assert "Gotcha" not in alice.get(f"services/{service}/").text
    assert _change(alice, service, f"Moin {service}", token).status == 303
    assert f"<h1>Moin {service}, alice" in alice.get(f"services/{service}/").text


@pytest.mark.parametrize("service", FRAMEWORKS)
def test_what_scripts_read_needs_the_xsrf_token(hub: HubProcess, service: str) -> None:
    alice = _signed_in(hub, "alice")
    alice.follow(f"services/{service}/")
    cookie = alice.cookie("_xsrf", f"/services/{service}/")
    assert cookie is not None
    path = f"services/{service}/api/me"
    assert alice.request("GET", path, headers=FETCH).status == 403
    reply = alice.request("GET", path, headers=FETCH | {"X-XSRFToken": cookie.value or ""})
    assert reply.json()["name"] == "alice"


@pytest.mark.parametrize("service", FRAMEWORKS)
def test_log_out_ends_the_log_in_here_and_at_the_hub(hub: HubProcess, service: str) -> None:
    alice = _signed_in(hub, "alice")
    assert alice.follow(f"services/{service}/").status == 200
    alice.follow(f"services/{service}/logout")
    assert alice.cookie(f"service-{service}", f"/services/{service}/") is None
    page = alice.follow(f"services/{service}/")
    assert page.url.startswith(f"{hub.public_url}hub/login")


@pytest.mark.parametrize("service", FRAMEWORKS)
def test_several_tabs_log_in_at_once_and_none_leads_elsewhere(hub: HubProcess, service: str) -> None:
    alice = _signed_in(hub, "alice")
    first = alice.get(f"services/{service}/?tab=1")
    second = alice.get(f"services/{service}/?tab=2")
    for reply, tab in ((first, 1), (second, 2)):
        assert alice.follow(reply.location).url == f"{hub.public_url}services/{service}/?tab={tab}"
    for elsewhere in ("https://elsewhere.example/", "//elsewhere.example", "/hub/home"):
        reply = alice.get(f"services/{service}/login?next={elsewhere}")
        assert reply.location == f"{hub.public_url}services/{service}/"
    made_up = alice.get(f"services/{service}/oauth_callback?code=x&state=y")
    assert (made_up.status, "The log-in did not succeed" in made_up.text) == (403, True)


@pytest.mark.parametrize("service", WITH_WEBSOCKETS)
def test_websockets(hub: HubProcess, service: str) -> None:
    url = hub.public_url.replace("http:", "ws:") + f"services/{service}/echo"
    alice = _signed_in(hub, "alice")
    alice.follow(f"services/{service}/")
    cookie = {"Cookie": alice.cookie_header(f"services/{service}/echo")}
    origin = hub.public_url.rstrip("/")
    good: tuple[tuple[str, dict[str, str], str], ...] = (
        (url, {"Authorization": f"token {FRIEND}"}, "friend"),
        (f"{url}?token={FRIEND}", {}, "friend"),
        (url, cookie | {"Origin": origin}, "alice"),
    )
    for address, headers, name in good:
        with connect(address, additional_headers=headers, proxy=None) as socket:
            socket.send("hello")
            assert socket.recv(timeout=10) == f"{name}: hello"
    bad: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": "token made-up"},
        {"Authorization": f"token {STRANGER}"},
        cookie | {"Origin": "https://elsewhere.example"},
    )
    for headers in bad:
        with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers, proxy=None):
            pass
        assert refused.value.response.status_code == 403
