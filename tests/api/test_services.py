"""Services over the API: what is shown by scope, and how they tell who they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from carrel.app.web_app import build_web_app
from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of

ALL = {"kind", "name", "admin", "url", "prefix", "command", "pid", "info", "display"}
SECRET = "a-secret-of-a-service"


async def as_root(hub: TrialHub, *scopes: str) -> httpx.AsyncClient:
    """Return a client with a token of root's that may do only this."""
    token = await hub.token_of((await hub.find("root")).user, *scopes)
    return client_of(build_web_app(hub.ctx), token)


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        ("read:services", ALL),
        ("read:services!service=board", ALL),
        ("read:services:name", {"kind", "name", "admin"}),
        ("read:roles:services", {"kind", "name", "admin", "roles"}),
        ("admin:services", {*ALL, "roles"}),
    ],
)
async def test_a_scope_shows_its_fields(hub: TrialHub, scope: str, fields: set[str]) -> None:
    async with await as_root(hub, scope) as client:
        assert (await client.get(f"{API}/services/board")).json().keys() == fields


async def test_one_of_the_configuration_can_be_looked_at_and_not_removed(
    hub: TrialHub, clients: Clients
) -> None:
    async with hub.ctx.store.write() as tx:
        service = await tx.services.get("board")
        assert service is not None
        await tx.services.put(replace(service, from_config=True))
    reply = await clients["root"].delete(f"{API}/services/board")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET")
    assert (await clients["root"].get(f"{API}/services/board")).status_code == 200


@pytest.mark.parametrize("body", [None, {}])
async def test_nothing_is_no_service(clients: Clients, body: Any) -> None:
    reply = await clients["root"].post(f"{API}/services/new", json=body)
    assert (reply.status_code, reply.json()["message"]) == (400, "Invalid service data")


async def test_a_service_tells_who_it_is_and_is_no_user(hub: TrialHub, clients: Clients) -> None:
    made = await clients["root"].post(f"{API}/services/ada", json={"api_token": SECRET, "info": {"k": 1}})
    assert made.json() == {
        "kind": "service",
        "name": "ada",
        "admin": False,
        "roles": [],
        "url": "",
        "prefix": "",
        "command": [],
        "pid": 0,
        "info": {"k": 1},
        "display": True,
    }
    async with client_of(build_web_app(hub.ctx), SECRET) as client:
        me = (await client.get(f"{API}/user")).json()
        assert {"token_id": me.pop("token_id")} == {"token_id": "a1"}
        assert me == {"kind": "service", "name": "ada", "admin": False, "session_id": None, "scopes": []}
        for path in ("users/ada", "users/ada/server", "users/ada/tokens", "users", "groups"):
            assert (await client.get(f"{API}/{path}")).status_code == 403
        page = await client.get("/hub/user/ada/", headers={"Accept": "text/html"})
        assert page.status_code == 404
        assert SECRET not in page.text
