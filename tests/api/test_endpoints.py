"""Every endpoint, as seen by nobody, by its owner, by others, by an admin and by a server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from carrel.api.routes import ENDPOINTS
from carrel.app.web_app import build_web_app
from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of

CALLERS = ("nobody", "stranger", "bea", "server", "ada", "root")
MOMENT = {"last_activity": "2020-01-01T00:00:00Z"}
Row = tuple[str, str, Any, tuple[int, ...]]


def _server_rows(path: str, statuses: tuple[int, ...]) -> Iterator[Row]:
    """Yield what may be asked of a server, and how who may ask is answered: ada and root."""
    for method, status in zip(("GET", "POST", "PUT", "PATCH", "DELETE"), statuses, strict=True):
        body: Any = {"user_options": {}} if method == "PATCH" else None
        yield method, path, body, (403, 403, 404, 403, status, status)


#: Method, path and body; then the status for each of CALLERS.
TABLE: tuple[Row, ...] = (
    ("GET", "/", None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/health", None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/openapi.json", None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/metrics", None, (403, 403, 403, 403, 403, 200)),
    ("GET", "/info", None, (403, 403, 403, 403, 403, 200)),
    ("GET", "/user", None, (403, 403, 200, 200, 200, 200)),
    ("GET", "/users", None, (403, 403, 403, 403, 403, 200)),
    ("POST", "/users", {"usernames": ["new"]}, (403, 403, 403, 403, 403, 201)),
    ("GET", "/users/ada", None, (403, 403, 404, 200, 200, 200)),
    ("GET", "/users/ghost", None, (403, 403, 404, 404, 404, 404)),
    ("POST", "/users/new", None, (403, 403, 403, 403, 403, 201)),
    ("PATCH", "/users/bea", {"admin": True}, (403, 403, 403, 403, 403, 200)),
    ("DELETE", "/users/bea", None, (403, 403, 403, 403, 403, 204)),
    ("POST", "/users/ada/activity", MOMENT, (403, 403, 404, 200, 200, 200)),
    ("GET", "/users/ada/server", None, (403, 403, 404, 403, 200, 200)),
    ("POST", "/users/ada/server", None, (403, 403, 404, 403, 400, 400)),
    ("DELETE", "/users/ada/server", None, (403, 403, 404, 403, 204, 204)),
    ("PUT", "/users/ada/server", None, (403, 403, 404, 403, 409, 409)),
    ("PATCH", "/users/ada/server", {"user_options": {}}, (403, 403, 404, 403, 400, 400)),
    *_server_rows("/users/ada/servers/", (200, 400, 409, 400, 204)),
    *_server_rows("/users/ada/servers/lab", (404, 201, 201, 404, 404)),
    ("GET", "/users/ada/servers/lab/progress", None, (403, 403, 404, 403, 404, 404)),
    ("GET", "/users/ada/server/progress", None, (403, 403, 404, 403, 200, 200)),
    ("GET", "/users/ada/profiles", None, (403, 403, 404, 403, 200, 200)),
    ("POST", "/batchspawner", {"port": 4321}, (403, 403, 403, 409, 403, 403)),
    ("GET", "/users/ada/tokens", None, (403, 403, 404, 403, 200, 200)),
    ("POST", "/users/ada/tokens", None, (403, 403, 403, 403, 201, 201)),
    ("GET", "/users/ada/tokens/a1", None, (403, 403, 404, 403, 200, 200)),
    ("DELETE", "/users/ada/tokens/a1", None, (403, 403, 404, 403, 204, 204)),
    ("GET", "/groups", None, (403, 403, 403, 403, 403, 200)),
    ("POST", "/groups", {"groups": ["new"]}, (403, 403, 403, 403, 403, 201)),
    ("GET", "/groups/class", None, (403, 403, 403, 403, 403, 200)),
    ("GET", "/groups/ghosts", None, (403, 403, 403, 403, 403, 404)),
    ("POST", "/groups/new", None, (403, 403, 403, 403, 403, 201)),
    ("POST", "/groups/class", None, (403, 403, 403, 403, 403, 409)),
    ("DELETE", "/groups/class", None, (403, 403, 403, 403, 403, 204)),
    ("POST", "/groups/class/users", {"users": ["bea"]}, (403, 403, 403, 403, 403, 200)),
    ("DELETE", "/groups/class/users", {"users": ["ada"]}, (403, 403, 403, 403, 403, 200)),
    ("PUT", "/groups/class/properties", {"a": 1}, (403, 403, 403, 403, 403, 200)),
    ("GET", "/shares/ada", None, (403, 403, 404, 403, 200, 200)),
    ("GET", "/shares/ada/", None, (403, 403, 404, 403, 200, 200)),
    ("GET", "/shares/ada/lab", None, (403, 403, 404, 403, 404, 404)),
    ("POST", "/shares/ada/", {"user": "bea"}, (403, 403, 403, 403, 403, 200)),
    ("POST", "/shares/ada/lab", {"user": "bea"}, (403, 403, 403, 403, 403, 404)),
    ("PATCH", "/shares/ada/", {"user": "bea"}, (403, 403, 403, 403, 403, 200)),
    ("PATCH", "/shares/ada/lab", {"user": "bea"}, (403, 403, 403, 403, 403, 404)),
    ("DELETE", "/shares/ada/", None, (403, 403, 403, 403, 403, 204)),
    ("DELETE", "/shares/ada/lab", None, (403, 403, 403, 403, 403, 404)),
    ("GET", "/users/ada/shared", None, (403, 403, 404, 403, 200, 200)),
    ("GET", "/users/ada/shared/root/", None, (403, 403, 404, 403, 404, 404)),
    ("GET", "/users/ada/shared/root/lab", None, (403, 403, 404, 403, 404, 404)),
    ("DELETE", "/users/ada/shared/root/", None, (403, 403, 404, 403, 404, 404)),
    ("DELETE", "/users/ada/shared/root/lab", None, (403, 403, 404, 403, 404, 404)),
    ("GET", "/groups/class/shared", None, (403, 403, 403, 403, 403, 200)),
    ("GET", "/groups/class/shared/root/", None, (403, 403, 403, 403, 403, 404)),
    ("GET", "/groups/class/shared/root/lab", None, (403, 403, 403, 403, 403, 404)),
    ("DELETE", "/groups/class/shared/root/", None, (403, 403, 403, 403, 403, 404)),
    ("DELETE", "/groups/class/shared/root/lab", None, (403, 403, 403, 403, 403, 404)),
    ("GET", "/share-codes/ada", None, (403, 403, 404, 403, 200, 200)),
    ("GET", "/share-codes/ada/", None, (403, 403, 404, 403, 200, 200)),
    ("GET", "/share-codes/ada/lab", None, (403, 403, 404, 403, 404, 404)),
    ("POST", "/share-codes/ada/", None, (403, 403, 403, 403, 403, 200)),
    ("POST", "/share-codes/ada/lab", None, (403, 403, 403, 403, 403, 404)),
    ("DELETE", "/share-codes/ada/", None, (403, 403, 403, 403, 403, 204)),
    ("DELETE", "/share-codes/ada/lab", None, (403, 403, 403, 403, 403, 404)),
    ("POST", "/users/ada/admin-access", None, (403, 403, 404, 403, 403, 403)),
    ("GET", "/services", None, (403, 403, 403, 403, 403, 200)),
    ("GET", "/services/board", None, (403, 403, 403, 403, 403, 200)),
    ("GET", "/services/ghost", None, (403, 403, 403, 403, 403, 404)),
    ("POST", "/services/new", {"admin": False}, (403, 403, 403, 403, 403, 201)),
    ("POST", "/services/board", {"admin": False}, (403, 403, 403, 403, 403, 409)),
    ("DELETE", "/services/board", None, (403, 403, 403, 403, 403, 200)),
    ("DELETE", "/services/ghost", None, (403, 403, 403, 403, 403, 404)),
    ("GET", "/authorizations/token/0000", None, (403, 403, 404, 404, 404, 404)),
    ("POST", "/authorizations/token", None, (404, 404, 404, 404, 404, 404)),
    ("POST", "/authorizations/token/0000", None, (404, 404, 404, 404, 404, 404)),
    ("GET", "/authorizations/cookie/jupyterhub-hub-login", None, (403, 403, 404, 404, 404, 404)),
    ("GET", "/authorizations/cookie/jupyterhub-hub-login/0000", None, (403, 403, 404, 404, 404, 404)),
    ("POST", "/shutdown", None, (403, 403, 403, 403, 403, 202)),
    ("GET", "/proxy", None, (403, 403, 403, 403, 403, 200)),
    ("POST", "/proxy", None, (403, 403, 403, 403, 403, 200)),
    ("PATCH", "/proxy", {}, (403, 403, 403, 403, 403, 200)),
)

#: What says nothing to who cannot say who they are.
MUTE = {(method, path) for method, path, *_ in TABLE if path == "/user" or "authorizations" in path} | {
    ("POST", "/users/ada/tokens")
}
#: What stands for the parts of a path, the longer ones first.
PARTS = {
    "{name:str}/{value:str}": "jupyterhub-hub-login/0000",
    "/cookie/{name:str}": "/cookie/jupyterhub-hub-login",
    "{secret:str}": "0000",
    "{token_id:str}": "a1",
    "{group:str}": "class",
    "{owner:str}": "root",
    "{server:str}": "lab",
    "{service:str}": "board",
    "{name:str}": "ada",
}


def _at_one_hub() -> Iterator[tuple[str, str, Any, dict[str, int]]]:
    """Yield each row with callers who can ask the same hub one after the other, and their statuses.

    Whoever only looks, is refused or finds nothing leaves it as it was; all others get a hub of their own.
    """
    for method, path, body, statuses in TABLE:
        expected = dict(zip(CALLERS, statuses, strict=True))
        without_effect = {
            caller: status for caller, status in expected.items() if method == "GET" or status in (403, 404)
        }
        if without_effect:
            yield method, path, body, without_effect
        for caller, status in expected.items():
            if caller not in without_effect:
                yield method, path, body, {caller: status}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"), list(_at_one_hub()), ids=lambda value: str(value)[:40]
)
async def test_who_may_do_what(
    clients: Clients, method: str, path: str, body: Any, expected: dict[str, int]
) -> None:
    for caller, status in expected.items():
        reply = await clients[caller].request(method, API + path, json=body)
        assert reply.status_code == status, (caller, reply.text)
        assert reply.headers["x-jupyterhub-version"] == "6.1.1"
        assert reply.headers["content-security-policy"].startswith("frame-ancestors 'none'")
        if status >= 400:
            assert reply.json().keys() == {"status", "message"}
            assert reply.json()["status"] == status
            assert reply.headers["content-type"].startswith("application/json")
        if caller in ("nobody", "stranger") and status == 403:
            hint = None if (method, path) in MUTE else "Missing or invalid credentials."
            assert reply.json()["message"] == hint, caller


def _endpoints() -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (method, path, endpoint.scopes)
        for endpoint in ENDPOINTS
        for method in endpoint.methods
        for path in endpoint.paths
        if path
    ]


def test_every_endpoint_names_its_scopes() -> None:
    from carrel.domain.scope_catalog import SCOPES

    for method, path, scopes in _endpoints():
        assert scopes is not None, (method, path)
        assert set(scopes) <= set(SCOPES), (method, path)


def test_every_endpoint_is_in_the_table() -> None:
    tried = {(method, path) for method, path, *_ in TABLE}
    for method, path, _ in _endpoints():
        _, url, _ = _request(method, path)
        wanted = url.removeprefix(API)
        variants = {(method, wanted.replace("ada", name, 1)) for name in ("ada", "bea", "new")}
        assert variants & tried, (method, path)


#: What a request to each path needs in its body, so that only the scopes decide.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/users"): {"usernames": ["x"]},
    ("PATCH", "/users/{name:str}"): {},
    ("POST", "/users/{name:str}/activity"): MOMENT,
    ("POST", "/groups"): {"groups": ["x"]},
    ("POST", "/batchspawner"): {"port": 4321},
    ("POST", "/groups/{group:str}/users"): {"users": ["bea"]},
    ("DELETE", "/groups/{group:str}/users"): {"users": ["ada"]},
    ("PUT", "/groups/{group:str}/properties"): {},
    ("PATCH", "/proxy"): {},
}


def _request(method: str, path: str) -> tuple[str, str, Any]:
    """Return a request to an endpoint that makes sense, about ada, her first token and her class."""
    url = path
    for pattern, value in PARTS.items():
        url = url.replace(pattern, value)
    return method, API + url, BODIES.get((method, path))


@pytest.mark.parametrize(("method", "path", "scopes"), _endpoints())
async def test_a_token_without_its_scopes_is_refused(
    hub: TrialHub, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    """Not even an admin's: what counts is the token."""
    if not scopes:
        return
    root = (await hub.find("root")).user
    token = await hub.token_of(root, "admin-ui", "access:services")
    method, url, body = _request(method, path)
    async with client_of(build_web_app(hub.ctx), token) as client:
        reply = await client.request(method, url, json=body)
    # Every token may tell whose it is: others' records are then out of its reach rather than forbidden.
    assert reply.status_code in ((403, 404) if (method, path) == ("GET", "/users/{name:str}") else (403,))
    assert (await hub.server("ada")).ready
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get("x") is None
        assert await tx.groups.get("x") is None


@pytest.mark.parametrize(("method", "path", "scopes"), _endpoints())
async def test_each_scope_it_names_will_do(
    hub: TrialHub, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    if path.endswith("/admin-access"):
        return
    root = (await hub.find("root")).user
    method, url, body = _request(method, path)
    app = build_web_app(hub.ctx)
    for scope in scopes:
        async with client_of(app, await hub.token_of(root, scope)) as client:
            reply = await client.request(method, url, json=body)
            assert reply.status_code not in (403, 500), (scope, reply.text)


#: Endpoints that answer with what a filter leaves, or make what it names; all others refuse the wrong filter.
FILTERED: dict[tuple[str, str], str] = {
    ("GET", "/users"): "ada",
    ("GET", "/groups"): "class",
    ("GET", "/services"): "board",
}


@pytest.mark.parametrize(("method", "path", "scopes"), _endpoints())
async def test_a_scope_for_others_is_refused(
    hub: TrialHub, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    """Not even an admin's token, and not by an endpoint that forgot to look: the rule is in the use case."""
    root = (await hub.find("root")).user
    await hub.make_group("other", "bea")
    hidden = FILTERED.get((method, path))
    method, url, body = _request(method, path)
    app = build_web_app(hub.ctx)
    for scope, others in product(scopes, ("user=bea", "group=other", "server=bea/", "service=ada")):
        token = await hub.token_of(root, f"{scope}!{others}")
        async with client_of(app, token) as client:
            reply = await client.request(method, url, json=body)
        refused = reply.status_code in (403, 404)
        shown_but_not_this = hidden is not None and reply.status_code == 200 and hidden not in reply.text
        assert refused or shown_but_not_this, (scope, others, reply.text)
    assert (await hub.server("ada")).ready
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get("x") is None
        assert await tx.groups.get("x") is None
        group = await tx.groups.get("class")
    assert group is not None
    assert group.members == ("ada",)


@pytest.mark.parametrize("condition", ["user=ada", "group=class", "service=board"])
@pytest.mark.parametrize(("method", "path", "scopes"), _endpoints())
async def test_a_scope_for_the_right_one_will_do(
    hub: TrialHub, method: str, path: str, scopes: tuple[str, ...], condition: str
) -> None:
    """By name or by the group that ada is in; what is about nobody in particular takes no filter."""
    if path.endswith("/admin-access") or (method, path) == ("GET", "/services"):
        return
    root = (await hub.find("root")).user
    about_group = "{group:str}" in path or (method, path) == ("GET", "/groups")
    about_user = "{name:str}" in path or (method, path) == ("GET", "/users")
    kind = condition.partition("=")[0]
    fits = (about_user and kind != "service") or (about_group and kind == "group")
    fits = fits or ("{service:str}" in path and kind == "service")
    method, url, body = _request(method, path)
    app = build_web_app(hub.ctx)
    for scope in scopes:
        token = await hub.token_of(root, f"{scope}!{condition}")
        async with client_of(app, token) as client:
            reply = await client.request(method, url, json=body)
        refused = reply.status_code == 403 or "No access to resources" in reply.text
        assert refused is not fits, (scope, reply.status_code, reply.text)
        assert reply.status_code != 500


async def test_head_and_options(clients: Clients) -> None:
    got = await clients["root"].get(f"{API}/users/ada")
    head = await clients["root"].head(f"{API}/users/ada")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert (await clients["nobody"].head(f"{API}/users/ada")).status_code == 403
    assert (await clients["nobody"].head(f"{API}/health")).status_code == 200
    for path, status in (("/users", 200), ("/users/ada/server", 200), ("/no/such/thing", 404)):
        options = await clients["nobody"].options(API + path)
        assert (options.status_code, len(options.content) > 0) == (status, status == 404)
        assert "authorization" in options.headers["access-control-allow-headers"]


@pytest.mark.parametrize("path", ["/nothing", "/users/ada/nothing", "/users/a/b/c/d"])
async def test_an_unknown_path(clients: Clients, path: str) -> None:
    reply = await clients["root"].get(API + path)
    assert (reply.status_code, reply.json()) == (404, {"status": 404, "message": None})


async def test_an_unknown_method(clients: Clients) -> None:
    reply = await clients["root"].put(f"{API}/users/ada")
    assert (reply.status_code, reply.json()) == (405, {"status": 405, "message": None})


async def test_the_version_with_and_without_a_slash(clients: Clients) -> None:
    for path in (API, f"{API}/"):
        reply = await clients["nobody"].get(path)
        assert (reply.status_code, reply.json()) == (200, {"version": "6.1.1"})


async def test_health_is_empty_html(clients: Clients) -> None:
    reply = await clients["nobody"].get(f"{API}/health")
    assert reply.content == b""
    assert reply.headers["content-type"].startswith("text/html")


async def test_info(clients: Clients) -> None:
    info = (await clients["root"].get(f"{API}/info")).json()
    assert info.keys() >= {"version", "python", "sys_executable", "spawner", "authenticator"}
    assert info["spawner"].keys() == {"class", "version"}


@pytest.mark.parametrize("scheme", ["token", "Token", "bearer", "BEARER"])
async def test_both_schemes(hub: TrialHub, scheme: str) -> None:
    secret = await hub.token_of((await hub.find("ada")).user)
    async with client_of(build_web_app(hub.ctx)) as client:
        reply = await client.get(f"{API}/user", headers={"Authorization": f"{scheme} {secret}"})
        assert reply.json()["name"] == "ada"
