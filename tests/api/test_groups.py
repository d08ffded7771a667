"""What /groups takes and answers, and groups and roles where users are shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from carrel.app.web_app import build_web_app
from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of, statements

GROUPS = f"{API}/groups"


@pytest.mark.parametrize(
    "name", ["a/b", "/org/team/", "a/users", "a/b/properties", "50%/x", "größe/ü", "a%2Fb"]
)
async def test_names_with_slashes_have_an_address(clients: Clients, name: str) -> None:
    root, group = clients["root"], f"{GROUPS}/{quote(name, safe='')}"
    assert (await root.post(group, json={"users": ["bea"]})).json()["name"] == name
    assert (await root.get(group)).json()["users"] == ["bea"]
    assert (await root.post(f"{group}/users", json={"users": ["ada"]})).json()["users"] == ["ada", "bea"]
    assert (await root.put(f"{group}/properties", json={"a": 1})).json()["properties"] == {"a": 1}
    assert (await root.get(f"{GROUPS}/{name}")).status_code in (404, 405)
    assert (await clients["ada"].get(group)).status_code == 403
    assert (await root.delete(group)).status_code == 204
    assert (await root.get(group)).status_code == 404


async def test_a_group_of_a_scope_is_the_one_that_was_asked_for(hub: TrialHub, clients: Clients) -> None:
    for name in ("a", "a/b"):
        await clients["root"].post(f"{GROUPS}/{quote(name, safe='')}")
    token = await hub.token_of((await hub.find("root")).user, "groups!group=a")
    async with client_of(build_web_app(hub.ctx), token) as client:
        assert (await client.get(f"{GROUPS}/a")).status_code == 200
        assert (await client.get(f"{GROUPS}/a%2Fb")).status_code == 404


async def test_a_groups_life(clients: Clients) -> None:
    root = clients["root"]
    reply = await root.post(f"{GROUPS}/new", json={"users": ["BEA"]})
    whole = {"kind": "group", "name": "new", "users": ["bea"], "roles": [], "properties": {}}
    assert (reply.status_code, reply.json()) == (201, whole)
    reply = await root.put(f"{GROUPS}/new/properties", json={"a": {"b": [1]}})
    assert (reply.status_code, reply.json()["properties"]) == (200, {"a": {"b": [1]}})
    reply = await root.post(f"{GROUPS}/new/users", json={"users": ["ada", "bea"]})
    assert (reply.status_code, reply.json()["users"]) == (200, ["ada", "bea"])
    reply = await root.request("DELETE", f"{GROUPS}/new/users", json={"users": ["bea", "root"]})
    assert (reply.status_code, reply.json()["users"]) == (200, ["ada"])
    assert (await root.get(f"{API}/users/ada")).json()["groups"] == ["class", "new"]
    assert (await clients["ada"].get(f"{API}/user")).json()["groups"] == ["class", "new"]
    reply = await root.delete(f"{GROUPS}/new")
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await clients["ada"].get(f"{API}/user")).json()["groups"] == ["class"]


async def test_many_at_once(clients: Clients) -> None:
    root = clients["root"]
    reply = await root.post(GROUPS, json={"groups": ["one", "Zwei ü"], "users": ["ada"]})
    assert reply.status_code == 201
    assert [(each["name"], each["users"]) for each in reply.json()] == [("one", ["ada"]), ("Zwei ü", ["ada"])]
    assert (await root.get(f"{GROUPS}/Zwei%20%C3%BC")).json()["name"] == "Zwei ü"
    reply = await root.post(GROUPS, json={"groups": ["three", "one"]})
    assert (reply.status_code, reply.json()["message"]) == (409, "Group one already exists")
    assert (await root.get(f"{GROUPS}/three")).status_code == 404


async def test_both_forms_of_a_list(clients: Clients) -> None:
    root = clients["root"]
    await root.post(GROUPS, json={"groups": ["one", "two"]})
    assert [each["name"] for each in (await root.get(GROUPS)).json()] == ["class", "one", "two"]
    assert [each["name"] for each in (await root.get(f"{GROUPS}?offset=1&limit=1")).json()] == ["one"]
    page = await root.get(f"{GROUPS}?limit=2", headers={"Accept": "application/jupyterhub-pagination+json"})
    assert [each["name"] for each in page.json()["items"]] == ["class", "one"]
    assert page.json()["_pagination"]["next"]["offset"] == 2
    assert page.json()["_pagination"]["total"] == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/groups", {}, 400, "Must specify at least one group"),
        ("POST", "/groups", {"groups": []}, 400, "Must specify at least one group"),
        ("POST", "/groups", {"groups": [1]}, 400, "str"),
        ("POST", "/groups", {"groups": ["x"], "colour": 1}, 400, "colour"),
        ("POST", "/groups", {"groups": ["x"], "users": ["ghost"]}, 400, "No such user: ghost"),
        ("POST", "/groups/new", {"users": ["ghost"]}, 400, "No such user: ghost"),
        ("POST", "/groups/new", {"users": "ada"}, 400, "users"),
        ("POST", "/groups/a%0Ab", None, 400, "printable"),
        ("POST", "/groups/class", None, 409, "Group class already exists"),
        ("POST", "/groups/class/users", {}, 400, "Must specify users to add"),
        ("DELETE", "/groups/class/users", {}, 400, "Must specify users to delete"),
        ("POST", "/groups/ghosts/users", {"users": []}, 404, "No such group"),
        ("PUT", "/groups/class/properties", [], 400, "object"),
        ("PUT", "/groups/ghosts/properties", {}, 404, "No such group"),
        ("DELETE", "/groups/ghosts", None, 404, "No such group"),
        ("PATCH", "/users/ada", {"groups": ["ghosts"]}, 400, "No such group: ghosts"),
        ("PATCH", "/users/ada", {"roles": ["ghost"]}, 400, "No such role: ghost"),
        ("PATCH", "/users/ada", {"groups": "class"}, 400, "groups"),
        ("POST", "/users/ada/tokens", {"roles": ["ghost"]}, 400, "No such role: ghost"),
    ],
)
async def test_what_cannot_be_is_said(
    clients: Clients, method: str, path: str, body: Any, status: int, says: str
) -> None:
    reply = await clients["root"].request(method, API + path, json=body)
    assert reply.status_code == status, reply.text
    assert says in reply.json()["message"]


async def test_a_whole_model_can_be_sent_back(clients: Clients) -> None:
    """Clients that keep what they were told send name and roles along, which change nothing."""
    body = {"name": "class", "users": ["bea"], "roles": ["x"]}
    reply = await clients["root"].post(f"{GROUPS}/class/users", json=body)
    assert (reply.status_code, reply.json()["users"], reply.json()["roles"]) == (200, ["ada", "bea"], [])


async def test_groups_and_roles_of_a_user(clients: Clients) -> None:
    root = clients["root"]
    await root.post(f"{GROUPS}/new")
    reply = await root.patch(f"{API}/users/bea", json={"groups": ["new"], "roles": ["user", "admin"]})
    assert (reply.json()["groups"], reply.json()["roles"]) == (["new"], ["admin", "user"])
    assert reply.json()["admin"]
    assert (await clients["bea"].get(f"{API}/groups/new")).json()["users"] == ["bea"]
    reply = await root.patch(f"{API}/users/bea", json={"groups": [], "roles": []})
    assert (reply.json()["groups"], reply.json()["admin"]) == ([], False)
    assert (await clients["bea"].get(f"{API}/groups/new")).status_code == 403


async def test_a_list_of_users_by_group_is_a_fixed_number_of_statements(hub: TrialHub) -> None:
    for number in range(30):
        await hub.make_user(f"user{number:02}")
    await hub.make_group("large", *(f"user{number:02}" for number in range(30)))
    root = (await hub.find("root")).user
    token = await hub.token_of(root, "list:users!group=large", "read:users!group=large")
    async with client_of(build_web_app(hub.ctx), token) as client:
        await client.get(f"{API}/user")
        async with statements(hub) as seen:
            reply = await client.get(f"{API}/users?sort=-name&name_filter=user")
    assert [user["name"] for user in reply.json()] == [f"user{number:02}" for number in reversed(range(30))]
    assert all(user["groups"] == ["large"] for user in reply.json())
    assert len(seen) == 4


async def test_who_one_is_costs_no_statement_the_second_time(hub: TrialHub) -> None:
    token = await hub.token_of((await hub.find("ada")).user, "read:users:name!user")
    async with client_of(build_web_app(hub.ctx), token) as client:
        first = await client.get(f"{API}/user")
        async with statements(hub) as seen:
            again = await client.get(f"{API}/user")
    assert first.json() == again.json()
    assert first.json()["groups"] == ["class"]
    assert seen == []
