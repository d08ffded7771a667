"""Codes, and the tokens they turn into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.core.access import caller_of_token
from carrel.core.consent import (
    CodeRequest,
    allowed_scopes,
    describe,
    issue_code,
    needs_consent,
    offered_scopes,
)
from carrel.core.grants import Grounds, new_issue, redeem_code
from carrel.core.oauth import (
    Visit,
    client_of_service,
    get_client,
    register_client,
    remove_client,
    require_access,
)
from carrel.core.tokens import revoke_token
from carrel.core.users import delete_user
from carrel.domain.errors import Forbidden, NotFound
from carrel.domain.oauth import OAuthClient, with_own_filters
from carrel.domain.tokens import Token
from carrel.testing.hub import TrialHub, open_test_hub


async def _client(hub: TrialHub) -> OAuthClient:
    await hub.start()
    client = await get_client(hub.ctx, "jupyterhub-user-ada")
    assert client is not None
    return client


class Judge:
    """Grants whatever there are grounds for, and remembers them."""

    def __init__(self) -> None:
        self.grounds: Grounds | None = None

    def __call__(self, grounds: Grounds | None) -> bool:
        self.grounds = grounds
        return grounds is not None


async def _redeem(hub: TrialHub, client: OAuthClient, code: str) -> tuple[str, Grounds | None]:
    """Return the access token for a code, empty when there is none, and on what it was given."""
    issue, judge = new_issue(hub.ctx, client, None), Judge()
    given = await redeem_code(hub.ctx, client, code, issue, judge)
    return issue.access if given else "", judge.grounds


async def test_a_code_is_good_once(hub: TrialHub) -> None:
    client, ada = await _client(hub), await hub.find("ada")
    request = CodeRequest(client, client.redirect_uri, ("read:hub",), "challenge", "S256", "nonce")
    code = await issue_code(hub.ctx, ada, request)
    secret, grounds = await _redeem(hub, client, code)
    assert secret
    assert grounds is not None
    assert grounds.code is not None
    assert (grounds.code.client_id, grounds.user.id) == (client.client_id, ada.user.id)
    assert (grounds.code.redirect_uri, grounds.code.nonce) == (client.redirect_uri, "nonce")
    assert (grounds.code.code_challenge, grounds.code.code_challenge_method) == ("challenge", "S256")
    assert "read:hub" in grounds.scopes
    assert not grounds.refreshing
    assert await _redeem(hub, client, code) == ("", None)
    assert await caller_of_token(hub.ctx, secret) is None


@pytest.mark.parametrize(("seconds", "good"), [(299, True), (300, False)])
async def test_a_code_lasts_five_minutes(hub: TrialHub, seconds: float, good: bool) -> None:
    client = await _client(hub)
    code = await issue_code(hub.ctx, await hub.find("ada"), CodeRequest(client, client.redirect_uri, ()))
    await hub.clock.advance(seconds)
    assert bool((await _redeem(hub, client, code))[0]) is good


async def test_a_token_is_for_recognising_and_access_alone(hub: TrialHub) -> None:
    client, root = await _client(hub), await hub.find("root")
    code = await issue_code(hub.ctx, root, CodeRequest(client, client.redirect_uri, ()))
    secret, _ = await _redeem(hub, client, code)
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.scopes.names == {
        "read:users:name!user=root",
        "read:users:groups!user=root",
        "access:servers!server=ada/",
    }
    assert isinstance(caller.token, Token)
    assert caller.token.client_id == client.client_id


@pytest.mark.parametrize(
    ("allowed", "asked", "wanted"),
    [
        ((), "", []),
        ((), "identify", []),
        ((), "access:servers!server=ada/ read:users:name!user", []),
        ((), "read:users!user", None),
        ((), "no:such", None),
        (("read:users!user",), "", ["read:users!user"]),
        (("read:users!user",), "read:users!user", ["read:users!user"]),
        (("read:users!user",), "read:users:activity!user", ["read:users:activity!user"]),
        (("read:users!user",), "read:users", None),
        (("read:users!user",), "identify", []),
        (("self",), "user", ["self"]),
        (("read:users!user",), "user", None),
        (("inherit",), "", ["inherit"]),
        (("inherit",), "read:users!user", ["read:users!user"]),
        (("servers!server",), "", ["servers!server=ada/"]),
        (("servers!server",), "servers!server", ["servers!server=ada/"]),
        (("groups",), "openid groups", None),
    ],
)
async def test_what_a_client_may_ask_for(
    hub: TrialHub, allowed: tuple[str, ...], asked: str, wanted: list[str] | None
) -> None:
    server = await hub.start()
    hub_client = await get_client(hub.ctx, "jupyterhub-user-ada")
    assert hub_client is not None
    assert hub_client.server_id == server.id
    client = with_own_filters(replace(hub_client, allowed_scopes=allowed))
    assert await allowed_scopes(hub.ctx, await hub.find("ada"), client, asked) == wanted


async def test_nobody_gives_what_they_do_not_hold(hub: TrialHub) -> None:
    ada, root = await hub.find("ada"), await hub.find("root")
    wanted = ["admin:users", "read:users", "read:users!user=ada", "inherit", "oidc:email"]
    assert await offered_scopes(hub.ctx, root, wanted) == tuple(wanted)
    offered = await offered_scopes(hub.ctx, ada, wanted)
    # Of what is partly theirs they give that part, which does not grow when they become more.
    assert {"inherit", "oidc:email", "read:users:name!user=ada"} <= {*offered}
    assert all(scope.endswith("!user=ada") for scope in offered if scope.startswith("read:"))
    assert "admin:users" not in offered


async def test_scopes_in_words(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    scopes = ["oidc:email", "read:users!user", "read:users!group=class", "servers!server=bea/x", "inherit"]
    lines = describe(hub.ctx, ada, scopes)
    assert [line.limit for line in lines] == ["", "only you", "users in group class", "server bea/x", ""]
    assert lines[0].text == "See your e-mail address."
    assert lines[3].text == "Start and stop servers."


async def test_whose_server_it_is(hub: TrialHub) -> None:
    client = await _client(hub)
    assert await require_access(hub.ctx, await hub.find("ada"), client) == Visit(client, "ada", own=True)
    assert await require_access(hub.ctx, await hub.find("root"), client) == Visit(client, "ada", own=False)
    with pytest.raises(Forbidden):
        await require_access(hub.ctx, await hub.make_user("bea"), client)


async def test_who_has_agreed_is_not_asked_again(hub: TrialHub) -> None:
    client, root = await _client(hub), await hub.find("root")
    visit = await require_access(hub.ctx, root, client)
    assert await needs_consent(hub.ctx, root, visit, ())
    await _redeem(hub, client, await issue_code(hub.ctx, root, CodeRequest(client, client.redirect_uri, ())))
    assert not await needs_consent(hub.ctx, root, visit, ())
    assert await needs_consent(hub.ctx, root, visit, ("read:hub",))
    assert await needs_consent(hub.ctx, root, Visit(replace(client, hashed_secret="")), ())


async def test_an_agreement_ends_with_its_token() -> None:
    async with open_test_hub(oauth_token_expires_in=60.0) as hub:
        await hub.make_user("ada")
        root = await hub.make_user("root", admin=True)
        client = await _client(hub)
        request = CodeRequest(client, client.redirect_uri, ())
        await _redeem(hub, client, await issue_code(hub.ctx, root, request))
        for seconds, asked in ((59, False), (1, True)):
            await hub.clock.advance(seconds)
            visit = await require_access(hub.ctx, root, client)
            assert await needs_consent(hub.ctx, root, visit, ()) is asked


async def test_what_is_gone(hub: TrialHub) -> None:
    client, ada = await _client(hub), await hub.find("ada")
    code = await issue_code(hub.ctx, ada, CodeRequest(client, client.redirect_uri, ()))
    await delete_user(hub.ctx, await hub.find("root"), "ada")
    assert await _redeem(hub, client, code) == ("", None)
    with pytest.raises(NotFound):
        await require_access(hub.ctx, await hub.find("root"), client)


async def test_codes_go_with_the_client(hub: TrialHub) -> None:
    client = await _client(hub)
    code = await issue_code(hub.ctx, await hub.find("ada"), CodeRequest(client, client.redirect_uri, ()))
    await hub.stop()
    assert await get_client(hub.ctx, client.client_id) is None
    assert await _redeem(hub, client, code) == ("", None)


async def test_a_token_of_a_client_takes_the_others_of_it_along(hub: TrialHub) -> None:
    client, ada = await _client(hub), await hub.find("ada")
    request = CodeRequest(client, client.redirect_uri, ())
    secrets = [(await _redeem(hub, client, await issue_code(hub.ctx, ada, request)))[0] for _ in range(2)]
    own = await hub.token_of(ada.user)
    caller = await caller_of_token(hub.ctx, secrets[0])
    assert caller is not None
    assert caller.token is not None
    await revoke_token(hub.ctx, ada, "ada", f"a{caller.token.id}")
    assert [await caller_of_token(hub.ctx, secret) for secret in secrets] == [None, None]
    assert await caller_of_token(hub.ctx, own) is not None


async def _served(hub: TrialHub, client: OAuthClient) -> str:
    async with hub.ctx.store.write() as tx:
        await register_client(tx, client)
    root = await hub.find("root")
    await require_access(hub.ctx, root, client)
    code = await issue_code(hub.ctx, root, CodeRequest(client, client.redirect_uri, ("read:hub",)))
    return (await _redeem(hub, client, code))[0]


async def test_a_service_is_a_client(hub: TrialHub) -> None:
    client = client_of_service("board", "0" * 64, "/services/board/oauth_callback", allowed=["read:hub"])
    secret = await _served(hub, client)
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert "access:services!service=board" in caller.scopes.names
    assert "access:services" not in caller.scopes.names
    assert "read:hub" in caller.scopes.names
    assert "admin:users" not in caller.scopes.names
    with pytest.raises(Forbidden):
        await require_access(hub.ctx, await hub.find("ada"), client)


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({}, True),
        ({"description": "another", "confirm": False}, True),
        ({"redirect_uri": "/services/other/oauth_callback"}, False),
        ({"hashed_secret": "1" * 64}, False),
    ],
)
async def test_a_client_that_is_registered_again(hub: TrialHub, changes: dict[str, str], stays: bool) -> None:
    client = client_of_service("board", "0" * 64, "/services/board/oauth_callback", allowed=["read:hub"])
    secret = await _served(hub, client)
    assert await caller_of_token(hub.ctx, secret) is not None
    async with hub.ctx.store.write() as tx:
        await register_client(tx, replace(client, **changes))  # type: ignore[arg-type]
    assert (await caller_of_token(hub.ctx, secret) is not None) is stays


async def test_a_client_that_is_removed_ends_what_it_gave(hub: TrialHub) -> None:
    client = client_of_service("board", "0" * 64, "/services/board/oauth_callback", allowed=["read:hub"])
    secret = await _served(hub, client)
    async with hub.ctx.store.write() as tx:
        assert await remove_client(tx, client.client_id)
        assert not await remove_client(tx, client.client_id)
    assert await caller_of_token(hub.ctx, secret) is None
