"""Named servers over REST: what is asked for and what comes back."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from carrel.app.web_app import build_web_app
from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of

LAB = f"{API}/users/ada/servers/lab"


async def test_from_the_first_start_to_the_end(hub: TrialHub, clients: Clients) -> None:
    ada = clients["ada"]
    assert (await ada.post(LAB, json={"size": "big"})).status_code == 201
    server = (await ada.get(LAB)).json()
    assert (server["name"], server["full_name"], server["display_name"]) == ("lab", "ada/lab", "lab")
    assert (server["url"], server["progress_url"]) == ("/user/ada/lab/", f"{LAB}/progress")
    assert (server["ready"], server["user_options"]) == (True, {"size": "big"})
    user = (await ada.get(f"{API}/users/ada")).json()
    assert user["servers"].keys() == {"", "lab"}
    assert user["server"] == "/user/ada/"
    steps = (await ada.get(server["progress_url"])).text.split("\n\n")
    last = msgspec.json.decode(steps[-2].removeprefix("data: "))
    assert (last["ready"], last["url"]) == (True, "/user/ada/lab/")
    assert (await ada.post(LAB)).json()["message"] == "ada:lab is already running"
    assert (await ada.delete(LAB)).status_code == 204
    assert (await ada.get(f"{API}/users/ada")).json()["servers"].keys() == {""}
    shown = (await ada.get(f"{API}/users/ada?include_stopped_servers=1")).json()["servers"]
    assert shown["lab"]["stopped"] is True
    assert (await hub.server("ada")).ready
    assert (await ada.request("DELETE", LAB, json={"remove": True})).status_code == 204
    assert (await ada.get(LAB)).status_code == 404


async def test_one_is_made_and_changed_before_it_starts(clients: Clients) -> None:
    ada = clients["ada"]
    made = await ada.put(LAB, json={"display_name": "Mine", "user_options": {"a": 1}})
    assert made.status_code == 201
    assert (made.json()["display_name"], made.json()["user_options"]) == ("Mine", {"a": 1})
    assert made.json()["stopped"] is True
    changed = await ada.patch(LAB, json={"name": "gpu", "display_name": "Yours"})
    assert (changed.status_code, changed.json()["name"]) == (200, "gpu")
    assert changed.json()["display_name"] == "Yours"
    assert (await ada.get(LAB)).status_code == 404
    assert (await ada.post(f"{API}/users/ada/servers/gpu")).status_code == 201
    assert (await ada.get(f"{API}/users/ada/servers/gpu")).json()["user_options"] == {"a": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "Must specify at least one field to modify."),
        ({}, "Must specify at least one field to modify."),
        ({"colour": "red"}, "colour"),
        ({"user_options": 5}, "user_options"),
        ({"user_options": None}, "user_options"),
        ({"name": 5}, "name"),
        ({"display_name": [1]}, "display_name"),
        ({"name": "A B"}, "Invalid server_name: 'A B'"),
    ],
)
async def test_changes_that_cannot_be(clients: Clients, body: Any, message: str) -> None:
    await clients["ada"].put(LAB)
    reply = await clients["ada"].patch(LAB, json=body)
    assert reply.status_code == 400
    assert message in reply.json()["message"]


@pytest.mark.parametrize("name", ["Old Name", "größe", "a.b", "x+y", "%41", "a?b#c"])
async def test_old_names_have_their_address(hub: TrialHub, clients: Clients, name: str) -> None:
    ada = (await hub.find("ada")).user
    async with hub.ctx.store.write() as tx:
        await tx.servers.create(ada.id, name, now=hub.clock.now())
    url = f"{API}/users/ada/servers/{quote(name, safe='')}"
    assert (await clients["ada"].post(url)).status_code == 201
    server = (await clients["ada"].get(url)).json()
    assert (server["name"], server["url"]) == (name, f"/user/ada/{quote(name, safe='@~')}/")
    assert (await clients["ada"].get(server["progress_url"])).status_code == 200
    assert (await clients["ada"].request("DELETE", url, json={"remove": True})).status_code == 204
    assert (await clients["ada"].put(url)).json()["message"].startswith("Invalid server_name")


async def test_a_removal_that_takes_its_time(hub: TrialHub, clients: Clients) -> None:
    await clients["ada"].post(LAB)
    hub.world.script.stop_delay = 60
    removing = asyncio.create_task(clients["ada"].request("DELETE", LAB, json={"remove": True}))
    await hub.clock.advance(hub.ctx.settings.slow_stop_timeout + 1)
    assert (await removing).status_code == 202
    assert (await clients["ada"].get(LAB)).json()["pending"] == "stop"
    await hub.clock.advance(60)
    assert (await clients["ada"].get(LAB)).status_code == 404


async def test_a_scope_for_one_server_is_for_that_one(hub: TrialHub, clients: Clients) -> None:
    await clients["ada"].put(LAB)
    await clients["ada"].put(f"{API}/users/ada/servers/gpu")
    token = await hub.token_of((await hub.find("ada")).user, "servers!server=ada/lab")
    async with client_of(build_web_app(hub.ctx), token) as client:
        assert (await client.post(LAB)).status_code == 201
        assert (await client.get(LAB)).status_code == 200
        assert (await client.get(f"{API}/users/ada")).json()["servers"].keys() == {"lab"}
        assert (await client.delete(LAB)).status_code == 204
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            reply = await client.request(method, f"{API}/users/ada/servers/gpu", json={"user_options": {}})
            assert reply.status_code == 404
        assert (await client.patch(LAB, json={"name": "other"})).status_code == 404
