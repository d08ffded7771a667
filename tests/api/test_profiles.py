"""Profiles by the API: what is listed, what is chosen, and that nothing else is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from carrel.app.web_app import build_web_app
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.rig import API, client_of

LARGE = {
    "id": "large",
    "title": "A large one",
    "overrides": {"mem_limit": "8G"},
    "options": {
        "memory": {"type": "number", "title": "Memory", "min": 1, "max": 8, "unit": "GiB"},
        "page": {"choices": {"lab": "Lab", "tree": "Files"}, "unlisted": {"pattern": "/[a-z]+"}},
        "note": {"type": "text"},
    },
}
PROFILES = [
    {"id": "small", "title": "A small one"},
    LARGE,
    {"id": "own", "title": "Own", "groups": ["staff"]},
]


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    plugins = {"Profiles": {"profiles": PROFILES}}
    async with open_test_hub(plugins=plugins, allow_named_servers=True) as hub:
        yield hub


@pytest.fixture
async def ada(hub: TrialHub) -> AsyncIterator[httpx.AsyncClient]:
    caller = await hub.make_user("ada")
    async with client_of(build_web_app(hub.ctx), await hub.token_of(caller.user)) as client:
        yield client


async def test_what_a_user_may_choose_is_listed_with_what_its_options_take(
    hub: TrialHub, ada: httpx.AsyncClient
) -> None:
    small, large = (await ada.get(f"{API}/users/ada/profiles")).json()
    assert (small["id"], small["default"], large["default"]) == ("small", True, False)
    assert large["limits"] == ["8 GiB of memory"]
    memory, page, note = large["options"]
    assert (memory["type"], memory["min"], memory["max"], memory["default"]) == ("number", 1, 8, 1)
    assert [choice["id"] for choice in page["choices"]] == ["lab", "tree"]
    assert page["unlisted"] == "/[a-z]+"
    assert note["max_length"] == 200
    await hub.make_group("staff", "ada")
    listed = (await ada.get(f"{API}/users/ada/profiles")).json()
    assert [profile["id"] for profile in listed] == ["small", "large", "own"]


async def test_a_start_names_its_profile_and_options(hub: TrialHub, ada: httpx.AsyncClient) -> None:
    body = {"profile": "large", "options": {"memory": 4, "page": {"other": "/edit"}}}
    assert (await ada.post(f"{API}/users/ada/server", json=body)).status_code == 201
    kept = {"profile": "large", "options": {"memory": 4, "page": {"other": "/edit"}, "note": ""}}
    assert (await hub.server()).user_options == kept
    assert (await ada.get(f"{API}/users/ada/server")).json()["user_options"] == kept


async def test_a_named_server_has_its_own_choice_and_name(hub: TrialHub, ada: httpx.AsyncClient) -> None:
    url = f"{API}/users/ada/servers/lab"
    made = await ada.put(url, json={"display_name": "The lab", "profile": "large"})
    assert made.json()["user_options"]["profile"] == "large"
    changed = await ada.patch(url, json={"user_options": {"profile": "large", "options": {"memory": 8}}})
    assert changed.json()["user_options"]["options"]["memory"] == 8
    refused = await ada.patch(url, json={"user_options": {"profile": "own"}})
    assert refused.status_code == 400
    assert (await ada.post(url)).status_code == 201
    assert (await ada.get(url)).json()["user_options"]["options"]["memory"] == 8


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"profile": "own"}, "profile"),
        ({"profile": "nowhere"}, "profile"),
        ({"profile": ["large"]}, "profile"),
        ({"profile": "large", "options": [1]}, "options"),
        ({"profile": "large", "options": {"memory": 9}}, "memory"),
        ({"profile": "large", "options": {"memory": "4"}}, "memory"),
        ({"profile": "large", "options": {"memory": True}}, "memory"),
        ({"profile": "large", "options": {"page": "secret"}}, "page"),
        ({"profile": "large", "options": {"page": {"other": "/../x"}}}, "page"),
        ({"profile": "large", "options": {"note": "$(reboot)"}}, "note"),
        ({"profile": "large", "options": {"note": "x" * 1_000_000}}, "note"),
        ({"profile": "large", "options": {"cmd": ["sh"]}}, "cmd"),
        ({"profile": "small", "image": "evil"}, "image"),
        ({"user_options": {"image": "evil"}}, "image"),
        ({"image": "evil"}, "image"),
    ],
)
async def test_everything_else_is_refused_with_its_fields_name(
    hub: TrialHub, ada: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    refused = await ada.post(f"{API}/users/ada/server", json=body)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith(f"{field}: ")
    assert len(refused.content) < 1000
    assert hub.world.calls == []


async def test_programs_for_kubespawner_are_understood(hub: TrialHub, ada: httpx.AsyncClient) -> None:
    body = {"user_options": {"profile": "large", "memory": 2, "page--unlisted-choice": "/edit"}}
    assert (await ada.post(f"{API}/users/ada/server", json=body)).status_code == 201
    options = (await hub.server()).user_options["options"]
    assert options == {"memory": 2, "page": {"other": "/edit"}, "note": ""}
