"""What goes in and comes out: models, pages of lists, bad bodies, odd names."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from carrel.app.web_app import build_web_app
from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of

PAGES = {"Accept": "application/jupyterhub-pagination+json"}
USER_FIELDS = {
    *("name", "kind", "user_info", "admin", "roles", "groups", "server", "pending", "created"),
    *("last_activity", "auth_state", "servers"),
}
SERVER_FIELDS = {
    *("name", "full_name", "display_name", "last_activity", "started", "pending", "ready", "stopped", "url"),
    *("user_options", "progress_url", "full_url", "full_progress_url"),
}


async def test_a_user_as_an_admin_sees_them(clients: Clients) -> None:
    user = (await clients["root"].get(f"{API}/users/ada")).json()
    assert user.keys() == USER_FIELDS
    assert (user["name"], user["kind"], user["admin"], user["roles"]) == ("ada", "user", False, ["user"])
    assert (user["server"], user["pending"], user["groups"]) == ("/user/ada/", None, ["class"])
    server = user["servers"][""]
    assert server.keys() == SERVER_FIELDS | {"state"}
    assert (server["full_name"], server["ready"], server["stopped"]) == ("ada/", True, False)
    assert server["progress_url"] == "/hub/api/users/ada/server/progress"
    assert server["started"].endswith("Z")
    assert len(server["started"]) == len("2027-01-15T08:00:00.000000Z")


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        ("read:users:name", {"name", "kind", "user_info", "admin"}),
        ("read:users:groups", {"kind", "name", "groups"}),
        ("read:users:activity", {"kind", "name", "last_activity"}),
        ("read:roles:users", {"kind", "name", "roles", "admin"}),
        ("read:servers", {"kind", "servers", "name", "user_info", "admin"}),
    ],
)
async def test_a_user_as_far_as_a_scope_goes(hub: TrialHub, scope: str, fields: set[str]) -> None:
    token = await hub.token_of((await hub.find("root")).user, scope)
    async with client_of(build_web_app(hub.ctx), token) as client:
        assert (await client.get(f"{API}/users/ada")).json().keys() == fields


async def test_the_drivers_state_is_for_admins(clients: Clients) -> None:
    assert (await clients["root"].get(f"{API}/users/ada/server")).json()["state"] == {"handle": 1}
    server = (await clients["ada"].get(f"{API}/users/ada/server")).json()
    assert server.keys() == SERVER_FIELDS


async def test_stopped_servers_are_shown_when_asked_for(hub: TrialHub, clients: Clients) -> None:
    await hub.stop("ada")
    assert (await clients["ada"].get(f"{API}/users/ada")).json()["servers"] == {}
    shown = (await clients["ada"].get(f"{API}/users/ada?include_stopped_servers=1")).json()
    assert shown["servers"][""]["stopped"] is True
    assert shown["server"] is None


async def test_who_a_servers_token_is(clients: Clients) -> None:
    identity = (await clients["server"].get(f"{API}/user")).json()
    assert (identity["name"], identity["admin"], identity["groups"]) == ("ada", False, ["class"])
    assert identity["token_id"] == "a1"
    assert identity["session_id"] is None
    assert "access:servers!server=ada/" in identity["scopes"]
    assert "users:activity!user=ada" in identity["scopes"]
    assert not any(scope.startswith("tokens") for scope in identity["scopes"])


async def test_a_plain_list_and_a_page_of_it(clients: Clients) -> None:
    plain = await clients["root"].get(f"{API}/users")
    assert [user["name"] for user in plain.json()] == ["ada", "bea", "root"]
    assert plain.headers["content-type"].startswith("application/json")
    page = await clients["root"].get(f"{API}/users?limit=2&name_filter=", headers=PAGES)
    assert page.headers["content-type"] == "application/json"
    assert [user["name"] for user in page.json()["items"]] == ["ada", "bea"]
    about = page.json()["_pagination"]
    assert (about["offset"], about["limit"], about["total"]) == (0, 2, 3)
    following = about["next"]
    assert (following["offset"], following["limit"]) == (2, 2)
    assert parse_qs(urlsplit(following["url"]).query) == {"offset": ["2"], "limit": ["2"]}
    last = await clients["root"].get(following["url"], headers=PAGES)
    assert [user["name"] for user in last.json()["items"]] == ["root"]
    assert last.json()["_pagination"]["next"] is None


@pytest.mark.parametrize(
    ("query", "offset", "limit"),
    [
        ("", 0, 50),
        ("limit=1000", 0, 200),
        ("limit=0", 0, 1),
        ("limit=-5", 0, 5),
        ("offset=-3", 3, 50),
        ("offset=9", 9, 50),
    ],
)
async def test_limits_are_clamped(clients: Clients, query: str, offset: int, limit: int) -> None:
    about = (await clients["root"].get(f"{API}/users?{query}", headers=PAGES)).json()["_pagination"]
    assert (about["offset"], about["limit"]) == (offset, limit)


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "offset=1.5",
        "limit=",
        "state=sleeping",
        "sort=colour",
        "sort=--id",
        "offset=99999999999999999999999",
    ],
)
async def test_a_bad_query(clients: Clients, query: str) -> None:
    reply = await clients["root"].get(f"{API}/users?{query}")
    assert (reply.status_code, reply.json()["status"]) == (400, 400)
    assert reply.json()["message"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=-name", ["root", "bea", "ada"]),
        ("state=ready", ["ada"]),
        ("state=inactive", ["bea", "root"]),
        ("name_filter=A", ["ada", "bea"]),
        ("name_filter=%25", []),
        ("name_filter=_", []),
    ],
)
async def test_filters_and_order(clients: Clients, query: str, names: list[str]) -> None:
    assert [user["name"] for user in (await clients["root"].get(f"{API}/users?{query}")).json()] == names


BAD = (
    ("POST", "/users", "{", "Invalid JSON in body of request"),
    ("POST", "/users", "", "Must specify at least one user"),
    ("POST", "/users", "[]", ""),
    ("POST", "/users", "{}", "Must specify at least one user"),
    ("POST", "/users", '{"usernames": []}', "Must specify at least one user"),
    ("POST", "/users", '{"usernames": [1]}', ""),
    ("POST", "/users", '{"usernames": ["a/b"]}', "Invalid username: a/b"),
    ("POST", "/users/new", '{"admin": "yes"}', "admin"),
    ("PATCH", "/users/bea", '{"colour": "blue"}', "colour"),
    ("PATCH", "/users/bea", '{"name": "ada"}', "already exists"),
    ("PATCH", "/users/bea", '{"name": 5}', "name"),
    ("PATCH", "/users/bea", "", "Invalid JSON in body of request"),
    ("POST", "/users/ada/activity", "{", "Invalid JSON in body of request"),
    ("POST", "/users/ada/activity", '{"last_activity": "yesterday"}', "Not a valid timestamp"),
    (
        "POST",
        "/users/ada/activity",
        '{"servers": {"x": {"last_activity": "2020-01-01T00:00:00Z"}}}',
        "No such server 'x'",
    ),
    ("POST", "/users/ada/activity", '{"last_activity": "2999-01-01T00:00:00Z"}', "future"),
    ("POST", "/users/bea/server", "{", "Invalid JSON in body of request"),
    ("POST", "/users/bea/server", "[1]", "object"),
    ("POST", "/users/bea/server", '{"user_options": 3}', "user_options"),
    ("DELETE", "/users/ada/server", '{"remove": true}', "default server"),
    ("POST", "/users/ada/tokens", '{"expires_in": "soon"}', "expires_in"),
    ("POST", "/users/ada/tokens", '{"expires_in": -1}', "positive"),
    ("POST", "/users/ada/tokens", '{"scopes": ["admin:users"]}', "Not assigning"),
    ("POST", "/users/ada/tokens", '{"scopes": ["x"]}', "There is no scope"),
    ("POST", "/users/ada/tokens", '{"expires_in": 100000000000000000000}', "expires_in"),
    ("POST", "/users/ada/tokens", '{"roles": ["wizard"]}', "No such role: wizard"),
    ("POST", "/users/ada/tokens", '{"roles": ["user"], "scopes": []}', "one of scopes or roles"),
    ("POST", "/users/ada/activity", "{}", "at least one of"),
    ("POST", "/users/bea/server", '{"display_name": 3}', "display_name must be a string"),
    ("POST", "/shutdown", '{"proxy": "maybe"}', "proxy"),
    ("POST", "/shutdown", '{"servers": null}', "servers"),
    ("DELETE", "/users/root", "", "yourself"),
)


@pytest.mark.parametrize(("method", "path", "body", "message"), BAD)
async def test_a_bad_body(clients: Clients, method: str, path: str, body: str, message: str) -> None:
    reply = await clients["root"].request(method, API + path, content=body)
    assert reply.status_code == 400, reply.text
    assert reply.json().keys() == {"status", "message"}
    assert message in reply.json()["message"]


async def test_what_exists_is_a_conflict(clients: Clients) -> None:
    assert (await clients["root"].post(f"{API}/users/ada")).status_code == 409
    assert (await clients["root"].post(f"{API}/users", json={"usernames": ["ada", "bea"]})).status_code == 409


@pytest.mark.parametrize(
    "name", ["jörg", "a b", "me@home", "per%cent", "a+b", "q?x", "h#x", "%41", "名前", "a;b=c"]
)
async def test_odd_names(hub: TrialHub, clients: Clients, name: str) -> None:
    url = f"{API}/users/{quote(name, safe='')}"
    assert (await clients["root"].post(url)).json()["name"] == name
    assert (await clients["root"].get(url)).json()["name"] == name
    assert (await clients["root"].post(f"{url}/server")).status_code == 201
    server = (await clients["root"].get(f"{url}/server")).json()
    assert server["url"] == f"/user/{quote(name, safe='@~')}/"
    assert (await clients["root"].get(server["progress_url"])).status_code == 200
    assert (await clients["root"].delete(f"{url}/server")).status_code == 204
    assert (await clients["root"].delete(url)).status_code == 204


@pytest.mark.parametrize(
    "path", ["/users/ada%2F..%2Froot", "/users/..%2froot", "/users/ada%00", "/users/%ff"]
)
async def test_names_that_are_no_names(clients: Clients, path: str) -> None:
    assert (await clients["root"].get(API + path)).status_code == 404


async def test_a_token_is_shown_once(clients: Clients) -> None:
    made = (await clients["ada"].post(f"{API}/users/ada/tokens", json={"note": "n", "expires_in": 60})).json()
    assert made.keys() == {
        *("user", "id", "kind", "roles", "scopes", "created", "last_activity", "expires_at", "note"),
        *("session_id", "oauth_client", "token"),
    }
    listed = (await clients["ada"].get(f"{API}/users/ada/tokens")).json()["api_tokens"]
    assert made["id"] in [token["id"] for token in listed]
    assert made["token"] not in json.dumps(listed)
    assert (await clients["ada"].delete(f"{API}/users/ada/tokens/{made['id']}")).status_code == 204
    assert (await clients["ada"].get(f"{API}/users/ada/tokens/{made['id']}")).status_code == 404


async def test_a_bug_is_not_shown(hub: TrialHub, clients: Clients) -> None:
    def explode(*arguments: object) -> None:
        raise ZeroDivisionError("secret inside")

    hub.ctx.proxy.get_all_routes = explode  # type: ignore[assignment,method-assign]
    reply = await clients["root"].get(f"{API}/proxy")
    assert reply.status_code == 500
    assert "secret inside" not in reply.text
    assert "Traceback" not in reply.text
