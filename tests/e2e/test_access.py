"""Who is let in where: at the hub, and at a server that is somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.singleusers import ALL, PASSWORD, Singleuser, class_config
from tests.rigs.systems import under_test
from tests.rigs.visitor import REDIRECTS, Visitor, authorization

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PAGES = ["user/ada/lab", "user/ada/lab/tree/secret.txt", "user/ada/files/secret.txt"]
ENDPOINTS = ["user/ada/api/contents", "user/ada/api/kernels", "user/ada/api/terminals"]


@pytest.fixture(scope="module", params=ALL, ids=lambda singleuser: singleuser.name)
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub where ada's server runs and bob has an account."""
    singleuser: Singleuser = request.param
    directory: Path = tmp_path_factory.mktemp("access")
    config = class_config(directory, singleuser.command())
    secret = directory / "home" / "ada" / "secret.txt"
    secret.parent.mkdir(parents=True)
    secret.write_text("ada's secret")
    with HubProcess(under_test(), directory, config) as hub:
        for name in ("ada", "bob"):
            signed_in(hub, name)
        assert hub.api("POST", "users/ada/server", token=hub.token("admin")).status in {201, 202}
        hub.wait_server("ada", hub.token("admin"))
        yield hub


def signed_in(hub: HubProcess, name: str) -> Visitor:
    visitor = hub.visitor()
    assert visitor.log_in(name, PASSWORD, "/hub/home").status in REDIRECTS
    return visitor


def websocket_status(hub: HubProcess, visitor: Visitor, token: str = "") -> int:
    """Return 101 when the events websocket of ada's server opens, or the status of the refusal."""
    path = "user/ada/api/events/subscribe"
    headers = {"Cookie": visitor.cookie_header(path), **authorization(token)}
    url = f"{hub.public_url}{path}".replace("http", "ws", 1)
    origin = Origin(hub.public_url.rstrip("/"))
    try:
        with connect(url, additional_headers=headers, origin=origin, proxy=None):
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def test_the_owner_is_let_in(hub: HubProcess) -> None:
    ada = signed_in(hub, "ada")
    page = ada.follow("user/ada/lab")
    assert page.status == 200
    assert urlsplit(page.url).path == "/user/ada/lab"
    assert ada.get("user/ada/files/secret.txt").text == "ada's secret"
    token = hub.token("ada")
    assert hub.visitor().get("user/ada/api/contents", token=token).status == 200
    assert websocket_status(hub, hub.visitor(), token) == 101


@pytest.mark.parametrize("path", PAGES)
def test_an_anonymous_visitor_is_sent_to_the_login_page(hub: HubProcess, path: str) -> None:
    page = hub.visitor().follow(path)
    assert urlsplit(page.url).path == "/hub/login"
    assert "secret" not in page.text.replace("secret.txt", "")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_anonymous_visitor_gets_nothing_from_the_api(hub: HubProcess, path: str) -> None:
    reply = hub.visitor().get(path)
    assert reply.status in {403, *REDIRECTS}
    assert not reply.location or urlsplit(reply.location).path.startswith("/hub/")


def test_an_anonymous_visitor_gets_no_websocket(hub: HubProcess) -> None:
    assert websocket_status(hub, hub.visitor()) in {302, 403}


@pytest.mark.parametrize("path", PAGES)
def test_another_user_is_refused_a_page(hub: HubProcess, path: str) -> None:
    page = signed_in(hub, "bob").follow(path)
    assert page.status == 403
    assert "ada's secret" not in page.text


@pytest.mark.parametrize("path", ENDPOINTS)
def test_another_user_is_refused_the_api(hub: HubProcess, path: str) -> None:
    bob = signed_in(hub, "bob")
    assert bob.follow(path).status == 403
    assert bob.get(path, token=hub.token("bob")).status == 403


def test_another_user_is_refused_the_websocket(hub: HubProcess) -> None:
    bob = signed_in(hub, "bob")
    bob.follow("user/ada/lab")
    assert websocket_status(hub, bob) in {302, 403}
    assert websocket_status(hub, hub.visitor(), hub.token("bob")) == 403


def test_a_token_of_one_user_does_nothing_for_another(hub: HubProcess) -> None:
    token = hub.token("bob")
    assert hub.api("GET", "user", token=token).json()["name"] == "bob"
    assert hub.api("GET", "users/ada", token=token).status in {403, 404}
    assert hub.api("DELETE", "users/ada/server", token=token).status in {403, 404}
    assert hub.api("POST", "users/ada/server", token=token).status in {403, 404}
    assert hub.api("POST", "users/ada/activity", token=token, body=b"{}").status in {403, 404}
    assert hub.visitor().get("user/ada/lab", token=token).status in {403, *REDIRECTS}


@pytest.mark.parametrize("token", ["wrong", "0" * 32, "a b", "ünïcode", "x" * 4000])
def test_a_wrong_token_is_refused(hub: HubProcess, token: str) -> None:
    reply = hub.visitor().request(
        "GET", "hub/api/user", headers={"Authorization": f"token {token}".encode().decode("latin-1")}
    )
    assert reply.status in {400, 401, 403}


@only_carrel
def test_logging_out_ends_the_session_on_the_server_side(hub: HubProcess) -> None:
    ada = signed_in(hub, "ada")
    assert ada.follow("user/ada/lab").status == 200
    stolen = ada.cookie_header("hub/home")
    assert hub.visitor().request("GET", "hub/home", headers={"Cookie": stolen}).status == 200
    ada.follow("hub/logout")
    replayed = hub.visitor().request("GET", "hub/home", headers={"Cookie": stolen})
    assert urlsplit(replayed.location).path == "/hub/login"


HOST = "{host}"
NEXT = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example/hub/home",
    "http:///evil.example",
    "javascript:alert(1)",
    "\t//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    " //evil.example",
    "/%2f/evil.example/..//evil.example",
    "%2f%2fevil.example",
    "/..//evil.example",
    "/.//evil.example",
    "http://{host}@evil.example/",
    "http://{host}.evil.example/",
    "http://evil.example#{host}",
    "http://evil.example\\@{host}/",
    "{host}//evil.example",
    "http://{host}//evil.example/",
    "http://{host}/\\evil.example",
    "http://{host}\\evil.example",
    "//{host}@evil.example",
    "//evil\u3002example",
    "/\u2044/evil.example",
    "ftp://{host}/",
]


@pytest.fixture(scope="module")
def plain_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("next")
    with HubProcess(under_test(), directory, class_config(directory, ["false"])) as hub:
        yield hub


@pytest.mark.parametrize("target", NEXT)
def test_a_wrong_next_never_leaves_the_host(plain_hub: HubProcess, target: str) -> None:
    host = urlsplit(plain_hub.public_url).netloc
    reply = plain_hub.visitor().log_in("ada", PASSWORD, target.format(host=host))
    assert reply.status in REDIRECTS
    written = reply.headers["Location"]
    assert leads_to(written, plain_hub.public_url) == host, f"Location: {written}"


@pytest.mark.parametrize("target", ["/hub/home", "/hub/token?a=b", "http://{host}/hub/home"])
def test_a_right_next_is_followed(plain_hub: HubProcess, target: str) -> None:
    host = urlsplit(plain_hub.public_url).netloc
    reply = plain_hub.visitor().log_in("ada", PASSWORD, target.format(host=host))
    assert reply.location.endswith(target.format(host=host).removeprefix(f"http://{host}"))


def test_a_signed_in_visitor_is_not_sent_away_either(plain_hub: HubProcess) -> None:
    ada = signed_in(plain_hub, "ada")
    host = urlsplit(plain_hub.public_url).netloc
    for target in NEXT:
        reply = ada.get(f"hub/login?next={quote(target.format(host=host), safe='')}")
        if reply.status in REDIRECTS:
            assert leads_to(reply.headers["Location"], plain_hub.public_url) == host, target


def leads_to(location: str, base: str) -> str:
    """Return the host that a browser visits: it drops tabs and newlines, and a backslash is a slash to it."""
    cleaned = "".join(char for char in location.strip() if char not in "\t\r\n").replace("\\", "/")
    if cleaned.startswith("//"):
        return cleaned.lstrip("/").split("/")[0]
    parts = urlsplit(cleaned)
    if not parts.scheme:
        return urlsplit(base).netloc
    return parts.netloc if parts.scheme in {"http", "https"} else parts.scheme
