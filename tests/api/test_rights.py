"""The REST API shows and changes what a model of the rules allows, whoever has which scopes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.app.web_app import build_web_app
from tests.api.rig import API, client_of
from tests.core.rbac_model import Atom, World
from tests.core.rbac_worlds import GROUPS, USERS, open_world, worlds, written

MOMENT = {"last_activity": "2020-01-01T00:00:00Z"}
READ_USER = "read:users read:users:name read:servers read:users:groups read:users:activity read:roles:users"
READ_GROUP = "read:groups read:groups:name read:roles:groups"
#: Fields of a user and of a group, and the scopes of which each needs one: the answers of JupyterHub 6.1.
USER_FIELDS = {
    "name": "read:users:name read:users:groups read:users:activity read:roles:users read:servers"
    " admin:auth_state",
    "user_info": "read:users:name",
    "groups": "read:users:groups",
    "last_activity": "read:users:activity",
    "roles": "read:users read:roles:users",
    "admin": "read:users:name read:roles:users",
    "created": "read:users",
    "server": "read:users",
    "pending": "read:users",
    "auth_state": "admin:auth_state",
}
GROUP_FIELDS = {"users": "read:groups", "properties": "read:groups", "roles": "read:roles:groups"}
#: Path, the scopes of which one must do, and what kind of thing it is about.
READS = (
    ("/users/{}/server", "read:servers", "server"),
    ("/users/{}/tokens", "read:tokens", "user"),
    ("/users/{}/shared", "read:users:shares", "user"),
    ("/shares/{}", "read:shares", "user"),
    ("/shares/{}/", "read:shares", "server"),
    ("/share-codes/{}/", "read:shares", "server"),
)
#: Method, path, body, the scopes of which one must do, and what kind of thing it is about.
WRITES: tuple[tuple[str, str, Any, str, str], ...] = (
    ("POST", "/users/{}/activity", MOMENT, "users:activity", "user"),
    ("POST", "/users/{}/server", None, "start:servers", "server"),
    ("DELETE", "/users/{}/server", None, "delete:servers", "server"),
    ("PATCH", "/users/{}", {}, "admin:users", "user"),
    ("DELETE", "/users/{}", None, "delete:users", "user"),
    ("POST", "/share-codes/{}/", {}, "shares", "server"),
    ("DELETE", "/share-codes/{}/", None, "shares", "server"),
    ("DELETE", "/shares/{}/", None, "shares", "server"),
    ("POST", "/groups/{}/users", {"users": []}, "groups", "group"),
    ("DELETE", "/groups/{}/users", {"users": ["ada"]}, "groups", "group"),
    ("PUT", "/groups/{}/properties", {}, "groups", "group"),
    ("DELETE", "/groups/{}", None, "delete:groups", "group"),
    ("POST", "/groups/{}", None, "admin:groups", "group"),
)

callers = st.tuples(
    st.sampled_from(USERS), st.one_of(st.just(["inherit"]), st.lists(written, min_size=1, max_size=4))
)
few = settings(
    max_examples=40, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck)
)


def _holds(world: World, held: set[Atom], needed: str, kind: str, value: str) -> bool:
    return world.may(held, needed, kind, f"{value}/" if kind == "server" else value)


@few
@given(worlds(), callers)
def test_what_is_shown_is_what_the_rules_allow(world: World, caller: tuple[str, list[str]]) -> None:
    async def look() -> None:
        async with open_world(world) as hub:
            owner, scopes = caller
            held = world.of_token(owner, scopes)
            token = await hub.token_of((await hub.find(owner)).user, *scopes)
            async with client_of(build_web_app(hub.ctx), token) as client:
                await _check_users(client, world, held)
                await _check_groups(client, world, held)

    asyncio.run(look())


async def _check_users(client: httpx.AsyncClient, world: World, held: set[Atom]) -> None:
    listed = await client.get(f"{API}/users")
    shown = world.reached(held, "list:users", "user", USERS)
    names = {user["name"] for user in listed.json()} if listed.status_code == 200 else set()
    assert names == shown, listed.text
    models = {user["name"]: user for user in listed.json()} if names else {}
    for name in USERS:
        reply = await client.get(f"{API}/users/{name}")
        allowed = world.may(held, READ_USER, "user", name)
        assert reply.status_code == 200 if allowed else reply.status_code in (403, 404), (name, reply.text)
        for model in ([reply.json()] if allowed else []) + ([models[name]] if name in models else []):
            for field, needed in USER_FIELDS.items():
                assert (field in model) == world.may(held, needed, "user", name), (name, field)
            if "groups" in model:
                assert set(model["groups"]) == world.groups_of(name)
        for path, needed, kind in READS:
            reply = await client.get(API + path.format(name))
            assert (reply.status_code == 200) == _holds(world, held, needed, kind, name), path.format(name)


async def _check_groups(client: httpx.AsyncClient, world: World, held: set[Atom]) -> None:
    listed = await client.get(f"{API}/groups")
    shown = world.reached(held, "list:groups", "group", GROUPS)
    names = {group["name"] for group in listed.json()} if listed.status_code == 200 else set()
    assert names == shown, listed.text
    for name in (*GROUPS, "ghosts"):
        reply = await client.get(f"{API}/groups/{name}")
        allowed = name in GROUPS and world.may(held, READ_GROUP, "group", name)
        assert reply.status_code == 200 if allowed else reply.status_code in (403, 404), (name, reply.text)
        if allowed:
            model = reply.json()
            for field, needed in GROUP_FIELDS.items():
                assert (field in model) == world.may(held, needed, "group", name), (name, field)
            reply = await client.get(f"{API}/groups/{name}/shared")
            assert (reply.status_code == 200) == world.may(held, "read:groups:shares", "group", name), name
            assert set(model.get("users", world.members[name])) == world.members[name]


@few
@given(worlds(), callers, st.sampled_from(WRITES), st.data())
def test_nothing_is_changed_that_the_rules_forbid(
    world: World, caller: tuple[str, list[str]], write: tuple[str, str, Any, str, str], data: st.DataObject
) -> None:
    method, path, body, needed, kind = write
    target = data.draw(st.sampled_from(GROUPS if kind == "group" else USERS))

    async def change() -> None:
        async with open_world(world) as hub:
            owner, scopes = caller
            allowed = _holds(world, world.of_token(owner, scopes), needed, kind, target)
            token = await hub.token_of((await hub.find(owner)).user, *scopes)
            async with client_of(build_web_app(hub.ctx), token) as client:
                reply = await client.request(method, API + path.format(target), json=body)
            refused = reply.status_code in (403, 404)
            # An admin may be out of reach although the scope is not.
            assert refused if not allowed else not refused or "admins" in reply.text, reply.text

    asyncio.run(change())
