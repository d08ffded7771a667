"""Scopes of servers' tokens and of their visitors, where functions and roles of the deployer say them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from carrel.domain.names import client_id
from carrel.domain.roles import Role
from carrel.domain.servers import Actual
from carrel.testing.hub import TrialHub, open_test_hub


async def _started(hub: TrialHub) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Start ada's server; return the scopes of its token and what visitors may grant it."""
    await hub.make_user("ada")
    server = await hub.start()
    assert server.ready, server.failure
    async with hub.ctx.store.read() as tx:
        client = await tx.oauth.get_client(client_id("ada"))
        tokens = await tx.tokens.of_user(server.user_id)
    assert client is not None
    (token,) = [each for each in tokens if each.server_id == server.id]
    env = hub.world.servers[1, 1].env["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"]
    assert sorted(json.loads(env)) == sorted(hub_words(client.allowed_scopes))
    return token.scopes, client.allowed_scopes


def hub_words(scopes: tuple[str, ...]) -> list[str]:
    return [scope.replace("!server=ada/", "!server") for scope in scopes]


async def _later(spawner: Any) -> set[str]:
    return {"read:users!user=" + spawner.user.name, "servers!server"}


@pytest.mark.parametrize(
    "function",
    [lambda spawner: ["read:users!user=" + spawner.user.name, "servers!server"], _later],
)
async def test_functions_say_what_visitors_may_grant(function: Any) -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"oauth_client_allowed_scopes": function}}) as hub:
        _, allowed = await _started(hub)
    assert sorted(allowed) == ["read:users!user=ada", "servers!server=ada/"]


async def test_a_list_or_a_function_says_what_a_servers_token_may_do() -> None:
    wanted = ["users:activity!user", "access:servers!server"]
    for value in (wanted, lambda spawner: wanted):
        async with open_test_hub(plugins={"Spawner": {"server_token_scopes": value}}) as hub:
            scopes, _ = await _started(hub)
        assert "access:servers!server=ada/" in scopes
        assert "users:activity!user=ada" in scopes
        # What the role for servers has beyond that.
        assert "read:users:groups!user=ada" not in scopes


async def test_roles_of_old_are_looked_up() -> None:
    for value in (["reader"], lambda spawner: ["reader"]):
        async with open_test_hub(plugins={"Spawner": {"oauth_roles": value}}) as hub:
            async with hub.ctx.store.write() as tx:
                await tx.roles.put(Role("reader", "", ("read:users",)))
            await hub.make_user("ada")
            server = await hub.start()
            assert server.ready, server.failure
            async with hub.ctx.store.read() as tx:
                client = await tx.oauth.get_client(client_id("ada"))
            assert client is not None
            assert client.allowed_scopes == ("read:users",)


def _fails(spawner: Any) -> list[str]:
    raise KeyError("no course")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"oauth_client_allowed_scopes": _fails}, "oauth_client_allowed_scopes failed"),
        ({"server_token_scopes": lambda spawner: "all"}, "must return a list of texts"),
        ({"server_token_scopes": ["no:such"]}, "There is no scope"),
        ({"oauth_roles": ["nobody"]}, "there is no role nobody"),
    ],
)
async def test_what_is_wrong_ends_the_start_and_names_the_setting(
    settings: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_test_hub(plugins={"Spawner": settings}) as hub:
        await hub.make_user("ada")
        server = await hub.start()
        assert server.actual is Actual.FAILED
        assert hub.world.alive() == set()
        assert server.failure is not None
        told = f"{server.failure} {caplog.text}"
    assert words in told
