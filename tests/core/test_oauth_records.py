"""OAuth codes and the tokens they turn into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.core.access import caller_of_token
from carrel.core.oauth import CodeRequest, get_client, granted, issue_code, redeem, require_access, take_code
from carrel.core.users import delete_user
from carrel.domain.errors import Forbidden, NotFound
from carrel.domain.oauth import OAuthClient
from carrel.testing.hub import TrialHub


async def _client(hub: TrialHub) -> OAuthClient:
    await hub.start()
    client = await get_client(hub.ctx, "jupyterhub-user-ada")
    assert client is not None
    return client


async def test_a_code_is_good_once(hub: TrialHub) -> None:
    client, ada = await _client(hub), await hub.find("ada")
    code = await issue_code(
        hub.ctx, ada, CodeRequest(client, client.redirect_uri, ("x",), "challenge", "S256")
    )
    record = await take_code(hub.ctx, code)
    assert record is not None
    assert (record.client_id, record.user_id) == (client.client_id, ada.user.id)
    assert (record.redirect_uri, record.scopes) == (client.redirect_uri, ("x",))
    assert (record.code_challenge, record.code_challenge_method) == ("challenge", "S256")
    assert await take_code(hub.ctx, code) is None


@pytest.mark.parametrize(("seconds", "good"), [(299, True), (300, False)])
async def test_a_code_lasts_five_minutes(hub: TrialHub, seconds: float, good: bool) -> None:
    client = await _client(hub)
    code = await issue_code(hub.ctx, await hub.find("ada"), CodeRequest(client, client.redirect_uri, ()))
    await hub.clock.advance(seconds)
    assert (await take_code(hub.ctx, code) is not None) is good


async def test_a_token_is_for_recognising_and_access_alone(hub: TrialHub) -> None:
    client, root = await _client(hub), await hub.find("root")
    code = await issue_code(
        hub.ctx, root, CodeRequest(client, client.redirect_uri, ("admin:users", "inherit"))
    )
    record = await take_code(hub.ctx, code)
    assert record is not None
    token = await redeem(hub.ctx, client, record, "s" * 32)
    caller = await caller_of_token(hub.ctx, "s" * 32)
    assert caller is not None
    assert caller.scopes.names == {
        "read:users:name!user=root",
        "read:users:groups!user=root",
        "access:servers!user=ada",
    }
    assert token.client_id == client.client_id


async def test_a_client_gets_of_what_it_asks_what_it_may_have(hub: TrialHub) -> None:
    client = replace(await _client(hub), allowed_scopes=("read:users!user",))
    assert "read:users!user" in granted(client, ["read:users!user", "admin:users"])
    assert "admin:users" not in granted(client, ["read:users!user", "admin:users"])
    assert "read:users!user" not in granted(client, [])


async def test_whose_server_it_is(hub: TrialHub) -> None:
    client = await _client(hub)
    assert await require_access(hub.ctx, await hub.find("ada"), client)
    assert not await require_access(hub.ctx, await hub.find("root"), client)
    with pytest.raises(Forbidden):
        await require_access(hub.ctx, await hub.make_user("bea"), client)


async def test_what_is_gone(hub: TrialHub) -> None:
    client, ada = await _client(hub), await hub.find("ada")
    code = await issue_code(hub.ctx, ada, CodeRequest(client, client.redirect_uri, ()))
    record = await take_code(hub.ctx, code)
    assert record is not None
    await hub.stop()
    assert await get_client(hub.ctx, client.client_id) is None
    await delete_user(hub.ctx, await hub.find("root"), "ada")
    with pytest.raises(NotFound):
        await redeem(hub.ctx, client, record, "s" * 32)
    with pytest.raises(NotFound):
        await require_access(hub.ctx, await hub.find("root"), client)


async def test_codes_go_with_the_client(hub: TrialHub) -> None:
    client = await _client(hub)
    code = await issue_code(hub.ctx, await hub.find("ada"), CodeRequest(client, client.redirect_uri, ()))
    await hub.stop()
    assert await take_code(hub.ctx, code) is None
