"""Staying connected: refresh tokens are replaced with every use, and one that is used twice ends them all."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from carrel.core.access import caller_of_token
from carrel.core.oauth import load_clients
from carrel.core.tokens import list_tokens, revoke_token
from carrel.testing.hub import TrialHub, open_test_hub
from tests.oauth.applications import (
    DOCS,
    PHONE,
    PKCE,
    REVOKE,
    SECRET,
    TOKEN,
    VERIFIER,
    WIKI,
    agree,
    come_back,
    exchange,
    wish,
)
from tests.oauth.conftest import Browse, open_browsers

OFFLINE = "openid offline_access"


async def _connect(browse: Browse, browser: httpx.AsyncClient, **changes: str) -> dict[str, str]:
    answer = await agree(browser, wish(**changes))
    reply = await exchange(await browse(""), answer["code"])
    assert reply.status_code == 200, reply.text
    given: dict[str, str] = reply.json()
    return given


async def _is_good(hub: TrialHub, token: str) -> bool:
    return await caller_of_token(hub.ctx, token) is not None


async def test_a_refresh_token_is_good_once_and_replaced(hub: TrialHub, browse: Browse) -> None:
    first = await _connect(browse, await browse("ada"), scope="openid profile read:servers!user")
    assert int(first["expires_in"]) == 3600
    reply = await come_back(await browse(""), first["refresh_token"])
    second = reply.json()
    assert reply.status_code == 200, reply.text
    assert second["refresh_token"] != first["refresh_token"]
    assert set(second["scope"].split()) == set(first["scope"].split())
    assert "id_token" in second
    assert [await _is_good(hub, each["access_token"]) for each in (first, second)] == [False, True]
    caller = await caller_of_token(hub.ctx, second["access_token"])
    assert caller is not None
    assert caller.may("read:servers", user="ada")


async def test_one_that_is_used_twice_ends_all(hub: TrialHub, browse: Browse) -> None:
    first = await _connect(browse, await browse("ada"))
    second = (await come_back(await browse(""), first["refresh_token"])).json()
    stolen = await come_back(await browse(""), first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert not await _is_good(hub, second["access_token"])
    assert (await come_back(await browse(""), second["refresh_token"])).status_code == 400


async def test_one_that_many_use_at_once_ends_all(hub: TrialHub, browse: Browse) -> None:
    first = await _connect(browse, await browse("ada"))
    browser = await browse("")
    replies = await asyncio.gather(*(come_back(browser, first["refresh_token"]) for _ in range(6)))
    given = [reply.json() for reply in replies if reply.status_code == 200]
    assert len(given) == 1
    assert not await _is_good(hub, given[0]["access_token"])
    assert (await come_back(browser, given[0]["refresh_token"])).status_code == 400


async def test_a_code_used_twice_ends_what_came_of_it_since(hub: TrialHub, browse: Browse) -> None:
    answer = await agree(await browse("ada"), wish())
    first = (await exchange(await browse(""), answer["code"])).json()
    second = (await come_back(await browse(""), first["refresh_token"])).json()
    assert (await exchange(await browse(""), answer["code"])).status_code == 400
    assert not await _is_good(hub, second["access_token"])
    assert (await come_back(await browse(""), second["refresh_token"])).status_code == 400


async def test_less_may_be_asked_for_and_more_may_not(hub: TrialHub, browse: Browse) -> None:
    first = await _connect(browse, await browse("ada"), scope="openid read:servers!user")
    more = await come_back(await browse(""), first["refresh_token"], scope="openid email")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    less = (await come_back(await browse(""), first["refresh_token"], scope="openid")).json()
    assert less["scope"] == "openid"
    caller = await caller_of_token(hub.ctx, less["access_token"])
    assert caller is not None
    assert not caller.may("read:servers", user="ada")
    again = (await come_back(await browse(""), less["refresh_token"])).json()
    assert "read:servers!user" in again["scope"].split()


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": "wrong"},
        {"client_id": "docs", "client_secret": DOCS["client_secret"]},
        {"client_id": "phone", "client_secret": ""},
        {"refresh_token": "made-up"},
        {"refresh_token": ""},
    ],
)
async def test_it_is_bound_to_its_client(hub: TrialHub, browse: Browse, changes: dict[str, str]) -> None:
    first = await _connect(browse, await browse("ada"))
    reply = await come_back(await browse(""), first["refresh_token"], **changes)
    assert reply.status_code in {400, 401}
    assert "access_token" not in reply.json()
    # And whoever tried has ended nothing.
    assert (await come_back(await browse(""), first["refresh_token"])).status_code == 200


async def test_a_code_is_no_refresh_token_and_the_other_way_round(browse: Browse) -> None:
    answer = await agree(await browse("ada"), wish())
    assert (await come_back(await browse(""), answer["code"])).json()["error"] == "invalid_grant"
    first = (await exchange(await browse(""), answer["code"])).json()
    reply = await exchange(await browse(""), first["refresh_token"])
    assert reply.json()["error"] == "invalid_grant"
    assert (await come_back(await browse(""), first["access_token"])).json()["error"] == "invalid_grant"


async def test_what_was_given_ends_with_the_log_in(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    given = await _connect(browse, ada)
    beside = await _connect(browse, await browse("ada"))
    assert (await ada.get("/hub/logout")).status_code == 200
    assert not await _is_good(hub, given["access_token"])
    assert (await come_back(await browse(""), given["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await come_back(await browse(""), beside["refresh_token"])).status_code == 200


async def test_but_not_when_the_visitor_has_allowed_it_to_stay(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    given = await _connect(browse, ada, scope=OFFLINE)
    assert (await ada.get("/hub/logout")).status_code == 200
    assert await _is_good(hub, given["access_token"])
    assert (await come_back(await browse(""), given["refresh_token"])).status_code == 200


async def test_a_session_that_is_gone_in_any_way_ends_it(hub: TrialHub, browse: Browse) -> None:
    given = await _connect(browse, await browse("ada"))
    async with hub.ctx.store.write() as tx:
        assert await tx.sessions.delete_of_user(1)
    assert (await come_back(await browse(""), given["refresh_token"])).json()["error"] == "invalid_grant"


async def test_revoking_its_token_ends_it(hub: TrialHub, browse: Browse) -> None:
    given = await _connect(browse, await browse("ada"), scope=OFFLINE)
    caller = await caller_of_token(hub.ctx, given["access_token"])
    assert caller is not None
    assert caller.token is not None
    await revoke_token(hub.ctx, await hub.find("ada"), "ada", f"a{caller.token.id}")
    assert (await come_back(await browse(""), given["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_grant_can_be_found_and_ended_when_its_token_has_expired() -> None:
    async with open_test_hub(oauth_clients=[WIKI], oauth_access_token_expires_in=10.0) as hub:
        ada = await hub.make_user("ada")
        async with open_browsers(hub) as browse:
            given = await _connect(browse, await browse("ada"), scope=OFFLINE)
            await hub.clock.advance(11)
            async with hub.ctx.store.write() as tx:
                await tx.tokens.purge(hub.clock.now())
            [found] = await list_tokens(hub.ctx, ada, "ada")
            assert found.token.client_id == "wiki"
            await revoke_token(hub.ctx, ada, "ada", f"a{found.token.id}")
            assert await list_tokens(hub.ctx, ada, "ada") == []
            reply = await come_back(await browse(""), given["refresh_token"])
            assert reply.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
async def test_a_client_gives_up_what_it_has(hub: TrialHub, browse: Browse, which: str) -> None:
    given = await _connect(browse, await browse("ada"))
    server = await browse("")
    for who in ({"client_id": "wiki"}, {"client_id": "wiki", "client_secret": "wrong"}, {}):
        assert (await server.post(REVOKE, data=who | {"token": given[which]})).status_code == 401
    others = {"client_id": "docs", "client_secret": DOCS["client_secret"], "token": given[which]}
    assert (await server.post(REVOKE, data=others)).status_code == 200
    assert await _is_good(hub, given["access_token"])
    for _ in range(2):
        reply = await server.post(REVOKE, data={"token": given[which]}, auth=("wiki", SECRET))
        assert (reply.status_code, reply.content) == (200, b"")
    assert not await _is_good(hub, given["access_token"])
    missing = await server.post(REVOKE, auth=("wiki", SECRET))
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


async def test_an_application_that_leaves_the_configuration_loses_everything(
    hub: TrialHub, browse: Browse
) -> None:
    given = await _connect(browse, await browse("ada"), scope=OFFLINE)
    await load_clients(hub.ctx.store, [])
    assert not await _is_good(hub, given["access_token"])
    assert (await come_back(await browse(""), given["refresh_token"])).status_code == 401
    assert (await (await browse("ada")).get(wish())).status_code == 400


async def test_how_long_it_lasts_without_being_used() -> None:
    limits: dict[str, Any] = {"oauth_refresh_token_expires_in": 60.0, "oauth_access_token_expires_in": 10.0}
    async with open_test_hub(oauth_clients=[WIKI], work=False, **limits) as hub:
        await hub.make_user("ada")
        async with open_browsers(hub) as browse:
            given = await _connect(browse, await browse("ada"))
            await hub.clock.advance(10)
            assert not await _is_good(hub, given["access_token"])
            await hub.clock.advance(49)
            given = (await come_back(await browse(""), given["refresh_token"])).json()
            await hub.clock.advance(59)
            given = (await come_back(await browse(""), given["refresh_token"])).json()
            await hub.clock.advance(60)
            reply = await come_back(await browse(""), given["refresh_token"])
            assert reply.json()["error"] == "invalid_grant"


PHONES = {"client_id": "phone", "redirect_uri": PHONE["redirect_uris"][0]}


async def test_a_client_without_a_secret_brings_a_proof(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    for changes in ({}, {"code_challenge": VERIFIER, "code_challenge_method": "plain"}):
        reply = await ada.get(wish(**PHONES, **changes))
        assert "error=invalid_request" in reply.headers["location"]
    who = PHONES | {"client_secret": None}
    answer = await agree(ada, wish(**PHONES, **PKCE))
    for wrong in ({}, {"code_verifier": "w" * 64}):
        assert (await exchange(await browse(""), answer["code"], **who, **wrong)).status_code == 400
        answer = await agree(ada, wish(**PHONES, **PKCE))
    with_secret = who | {"client_secret": "x", "code_verifier": VERIFIER}
    assert (await exchange(await browse(""), answer["code"], **with_secret)).status_code == 401
    given = await exchange(await browse(""), answer["code"], **who, code_verifier=VERIFIER)
    assert given.status_code == 200
    form = {"client_id": "phone", "grant_type": "refresh_token"}
    again = await (await browse("")).post(TOKEN, data=form | {"refresh_token": given.json()["refresh_token"]})
    assert again.status_code == 200
    # It is asked for each time: anybody could pretend to be it.
    assert (await ada.get(wish(**PHONES, **PKCE))).status_code == 200


async def test_nobody_else_injects_a_code(browse: Browse) -> None:
    """A code of one client is nothing to another, and is spent when that one tries."""
    answer = await agree(await browse("ada"), wish())
    docs = {"client_id": "docs", "client_secret": DOCS["client_secret"]}
    for redirect_uri in (DOCS["redirect_uris"][0], WIKI["redirect_uris"][0]):
        reply = await exchange(await browse(""), answer["code"], **docs, redirect_uri=redirect_uri)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    assert (await exchange(await browse(""), answer["code"])).status_code == 400
