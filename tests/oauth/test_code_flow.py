"""Signing in to a server: RFC 6749's code grant with RFC 7636's proof, and all that goes wrong."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from carrel.core.access import caller_of_token
from carrel.testing.hub import TrialHub
from tests.api.rig import API
from tests.oauth.conftest import Browse
from tests.oauth.servers import CALLBACK, CHALLENGE, CLIENT, PKCE, TOKEN, VERIFIER, exchange, get_code, wish


async def test_the_whole_way_with_proof(hub: TrialHub, browse: Browse) -> None:
    ada, server = await browse("ada"), await browse("")
    reply = await ada.get(wish(**PKCE))
    assert reply.status_code == 302
    target = urlsplit(reply.headers["location"])
    assert (target.scheme, target.netloc, target.path) == ("", "", CALLBACK)
    answer = parse_qs(target.query)
    assert answer["state"] == ["s+/=é&"]
    reply = await exchange(hub, server, answer["code"][0], code_verifier=VERIFIER)
    assert reply.status_code == 200, reply.text
    token = reply.json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 14 * 86400)
    assert "refresh_token" not in token
    assert reply.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"token {token['access_token']}"}
    identity = (await server.get(f"{API}/user", headers=headers)).json()
    assert identity["name"] == "ada"
    assert identity["session_id"]
    assert set(identity["scopes"]) == {
        "access:servers!server=ada/",
        "read:users:name!user=ada",
        "read:users:groups!user=ada",
    }
    # Neither does it open her other servers.
    assert set(token["scope"].split()) == {
        "access:servers!server=ada/",
        "read:users:name!user",
        "read:users:groups!user",
    }


async def test_old_clients_bring_no_proof(hub: TrialHub, browse: Browse) -> None:
    code = await get_code(await browse("ada"), scope="identify")
    assert (await exchange(hub, await browse(""), code)).status_code == 200


async def test_the_redirect_uri_may_be_left_out_of_the_wish(hub: TrialHub, browse: Browse) -> None:
    code = await get_code(await browse("ada"), redirect_uri=None)
    assert (await exchange(hub, await browse(""), code)).status_code == 200


@pytest.mark.parametrize(
    ("asked", "sent", "status", "error"),
    [
        (PKCE, {"code_verifier": "w" * 64}, 400, "invalid_grant"),
        (PKCE, {}, 400, "invalid_request"),
        (PKCE, {"code_verifier": CHALLENGE}, 400, "invalid_grant"),
        ({}, {"client_secret": "wrong"}, 401, "invalid_client"),
        ({}, {"client_secret": None}, 401, "invalid_client"),
        ({}, {"client_id": "jupyterhub-user-ghost"}, 401, "invalid_client"),
        ({}, {"client_id": None}, 401, "invalid_client"),
        ({}, {"code": "made-up"}, 400, "invalid_grant"),
        ({}, {"code": None}, 400, "invalid_request"),
        ({}, {"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({}, {"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({}, {"grant_type": None}, 400, "unsupported_grant_type"),
        ({}, {"redirect_uri": "/user/bea/oauth_callback"}, 400, "invalid_request"),
        ({}, {"redirect_uri": f"http://evil.example{CALLBACK}"}, 400, "invalid_request"),
    ],
)
async def test_a_bad_exchange(
    hub: TrialHub, browse: Browse, asked: Any, sent: Any, status: int, error: str
) -> None:
    code = await get_code(await browse("ada"), **asked)
    reply = await exchange(hub, await browse(""), code, **sent)
    assert (reply.status_code, reply.json().get("error")) == (status, error)
    assert reply.headers["content-type"].startswith("application/json")
    assert "access_token" not in reply.json()
    async with hub.ctx.store.read() as tx:
        tokens = await tx.tokens.of_user(1)
    assert [token.client_id for token in tokens] == ["jupyterhub"]


async def test_a_code_is_good_once_and_used_twice_ends_what_it_gave(hub: TrialHub, browse: Browse) -> None:
    code, server = await get_code(await browse("ada")), await browse("")
    token = (await exchange(hub, server, code)).json()["access_token"]
    assert await caller_of_token(hub.ctx, token) is not None
    again = await exchange(hub, server, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert await caller_of_token(hub.ctx, token) is None


async def test_somebody_without_the_secret_ends_nothing(hub: TrialHub, browse: Browse) -> None:
    code, server = await get_code(await browse("ada")), await browse("")
    token = (await exchange(hub, server, code)).json()["access_token"]
    assert (await exchange(hub, server, code, client_secret="guess")).status_code == 401
    assert await caller_of_token(hub.ctx, token) is not None


async def test_one_code_used_by_many_at_once(hub: TrialHub, browse: Browse) -> None:
    """At most one gets a token, and whoever came second has ended it."""
    code, server = await get_code(await browse("ada")), await browse("")
    replies = await asyncio.gather(*(exchange(hub, server, code) for _ in range(8)))
    tokens = [reply.json()["access_token"] for reply in replies if reply.status_code == 200]
    assert len(tokens) == 1
    assert {reply.status_code for reply in replies} == {200, 400}
    assert await caller_of_token(hub.ctx, tokens[0]) is None


async def test_a_proof_without_a_challenge_is_refused(hub: TrialHub, browse: Browse) -> None:
    """Somebody has taken the challenge out of the request on its way."""
    code = await get_code(await browse("ada"))
    reply = await exchange(hub, await browse(""), code, code_verifier=VERIFIER)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_nothing_after_the_log_out(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    code, given = await get_code(ada), await get_code(ada)
    token = (await exchange(hub, await browse(""), given)).json()["access_token"]
    page = await ada.get("/hub/logout")
    assert page.status_code == 200
    assert (await exchange(hub, await browse(""), code)).json()["error"] == "invalid_grant"
    assert await caller_of_token(hub.ctx, token) is None


async def test_who_the_client_is_may_stand_in_a_header(hub: TrialHub, browse: Browse) -> None:
    server, secret = await browse(""), hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    for auth, status in (((CLIENT, secret), 200), ((CLIENT, "wrong"), 401), (("ghost", secret), 401)):
        code = await get_code(await browse("ada"))
        reply = await server.post(TOKEN, data=form | {"code": code}, auth=auth)
        assert reply.status_code == status
        assert ("Basic" in reply.headers.get("www-authenticate", "")) is (status == 401)
    both = await server.post(
        TOKEN, data=form | {"code": code, "client_secret": secret}, auth=(CLIENT, secret)
    )
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    broken = await server.post(TOKEN, data=form | {"code": code}, headers={"Authorization": "Basic !"})
    assert (broken.status_code, broken.json()["error"]) == (401, "invalid_client")


async def test_what_is_no_text(hub: TrialHub, browse: Browse) -> None:
    """Databases take no zero byte; nobody's log-in ends with an error of theirs."""
    ada, server = await browse("ada"), await browse("")
    for name in ("client_id", "scope", "nonce", "redirect_uri", "state"):
        reply = await ada.get(wish(**{name: "a\0b"}))
        assert (reply.status_code, "location" in reply.headers) == (400, False)
    for name in ("client_id", "client_secret", "code"):
        reply = await exchange(hub, server, "code", **{name: "a\0b"})
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    reply = await server.post(TOKEN, data={"grant_type": "x", "code": "y"}, auth=("a\0b", "c"))
    assert reply.status_code in {400, 401}
    reply = await ada.get(wish(scope=" ".join(f"read:users!user=u{number}" for number in range(500))))
    assert "error=invalid_scope" in reply.headers["location"]
    reply = await ada.get(wish(nonce="n" * 1001))
    assert "error=invalid_request" in reply.headers["location"]


async def test_the_query_of_an_exchange_counts_for_nothing(hub: TrialHub, browse: Browse) -> None:
    """What stands in an address stands in logs."""
    code = await get_code(await browse("ada"))
    form = {
        "client_id": CLIENT,
        "client_secret": hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"],
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
    }
    reply = await (await browse("")).post(f"{TOKEN}?{urlencode(form)}")
    assert "access_token" not in reply.json()
    doubled = urlencode([*form.items(), ("client_id", "other")]).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await (await browse("")).post(TOKEN, content=doubled, headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


async def test_a_code_is_spent_by_a_wrong_proof(hub: TrialHub, browse: Browse) -> None:
    code, server = await get_code(await browse("ada"), **PKCE), await browse("")
    assert (await exchange(hub, server, code, code_verifier="w" * 64)).status_code == 400
    assert (await exchange(hub, server, code, code_verifier=VERIFIER)).status_code == 400


async def test_a_code_is_not_spent_by_somebody_without_the_secret(hub: TrialHub, browse: Browse) -> None:
    code, server = await get_code(await browse("ada")), await browse("")
    assert (await exchange(hub, server, code, client_secret="guess")).status_code == 401
    assert (await exchange(hub, server, code)).status_code == 200


async def test_a_code_of_one_server_is_nothing_to_another(hub: TrialHub, browse: Browse) -> None:
    await hub.start("bea")
    code = await get_code(await browse("ada"))
    secret = hub.world.servers[2, 1].env["JUPYTERHUB_API_TOKEN"]
    reply = await exchange(hub, await browse(""), code, client_id="jupyterhub-user-bea", client_secret=secret)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


async def test_an_old_code(hub: TrialHub, browse: Browse) -> None:
    code = await get_code(await browse("ada"))
    await hub.clock.advance(300)
    assert (await exchange(hub, await browse(""), code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "/user/bea/oauth_callback"},
        {"redirect_uri": f"http://evil.example{CALLBACK}"},
        {"redirect_uri": f"//evil.example{CALLBACK}"},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?x=1"},
        {"redirect_uri": f"{CALLBACK}#x"},
        {"redirect_uri": "javascript:alert(1)"},
        {"client_id": "jupyterhub-user-ghost"},
        {"client_id": None},
        {"redirect_uri": "/user/ada/../ada/oauth_callback"},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": "/user/ada%2Foauth_callback"},
        {"redirect_uri": f"http://path-only.invalid.evil.example{CALLBACK}"},
        {"redirect_uri": f"http://ada@hub.test{CALLBACK}"},
        {"redirect_uri": f"/\\evil.example{CALLBACK}"},
        {"redirect_uri": ""},
    ],
)
async def test_a_bad_wish_is_not_answered_by_a_redirect(browse: Browse, changes: Any) -> None:
    reply = await (await browse("ada")).get(wish(**changes))
    assert reply.status_code == 400, reply.headers
    assert "location" not in reply.headers
    assert "Traceback" not in reply.text


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "response_type", "scope", "state"])
async def test_a_parameter_that_comes_twice(browse: Browse, name: str) -> None:
    """Which one counts must not depend on who reads it."""
    ada = await browse("ada")
    for asked in (wish(scope=""), wish(**{"scope": "", name: "evil"})):
        twice = f"{asked}&{name}={quote('/user/ada/oauth_callback')}"
        reply = await ada.get(twice)
        assert (reply.status_code, "location" in reply.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unauthorized_client"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "S1024"}, "invalid_request"),
        ({"code_challenge": "", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"scope": "admin:users"}, "invalid_scope"),
        ({"scope": "read:users!user"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "no:such"}, "invalid_scope"),
        ({"scope": "identify user"}, "invalid_scope"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
    ],
)
async def test_what_else_is_wrong_is_told_to_the_client(browse: Browse, changes: Any, error: str) -> None:
    reply = await (await browse("ada")).get(wish(**changes))
    assert reply.status_code == 302, reply.text
    target = urlsplit(reply.headers["location"])
    assert (target.netloc, target.path) == ("", CALLBACK)
    answer = parse_qs(target.query)
    assert (answer["error"], answer["state"]) == ([error], ["s+/=é&"])
    assert "code" not in answer


async def test_somebody_who_may_not_visit(browse: Browse) -> None:
    reply = await (await browse("bea")).get(wish())
    assert reply.status_code == 403
    assert "location" not in reply.headers


async def test_nobody_is_sent_to_sign_in_and_comes_back(browse: Browse) -> None:
    reply = await (await browse("")).get(wish())
    assert reply.status_code == 302
    target = urlsplit(reply.headers["location"])
    assert target.path == "/hub/login"
    assert parse_qs(target.query)["next"] == [wish()]
    reply = await (await browse("")).post(wish())
    assert (reply.status_code, urlsplit(reply.headers["location"]).path) == (302, "/hub/login")


async def test_a_visitor_of_somebody_elses_server_is_asked_first(hub: TrialHub, browse: Browse) -> None:
    root = await browse("root")
    page = await root.get(wish())
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    found = re.search(r'name="_xsrf"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    for wrong in ({}, {"_xsrf": "made-up"}):
        refused = await root.post(wish(), data=wrong)
        assert refused.status_code == 403
        assert "location" not in refused.headers
    agreed = await root.post(wish(), data={"_xsrf": found[1]})
    assert agreed.status_code == 302
    code = parse_qs(urlsplit(agreed.headers["location"]).query)["code"][0]
    token = (await exchange(hub, await browse(""), code)).json()["access_token"]
    caller = await caller_of_token(hub.ctx, token)
    assert caller is not None
    assert (caller.user.name, caller.may("access:servers", server="ada/")) == ("root", True)
    assert not caller.may("admin:users", user="ada")


async def test_another_site_cannot_agree_for_a_visitor(browse: Browse) -> None:
    root = await browse("root")
    page = await root.get(wish())
    found = re.search(r'name="_xsrf"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    reply = await root.post(wish(), data={"_xsrf": found[1]}, headers=headers)
    assert reply.status_code == 403


async def test_a_client_ends_with_its_server(hub: TrialHub, browse: Browse) -> None:
    ada, server = await browse("ada"), await browse("")
    code = await get_code(ada)
    secret = hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
    await hub.stop("ada")
    assert (await ada.get(wish())).status_code == 400
    assert (await exchange(hub, server, code, client_secret=secret)).status_code == 401


async def test_odd_names_come_round(hub: TrialHub, browse: Browse) -> None:
    name = "a b@ü%"
    await hub.make_user(name)
    server = await hub.start(name)
    client, callback = (
        f"jupyterhub-user-{quote(name, safe='')}",
        f"/user/{quote(name, safe='@')}/oauth_callback",
    )
    code = await get_code(await browse(name), client_id=client, redirect_uri=callback)
    secret = hub.world.servers[server.id, 1].env["JUPYTERHUB_API_TOKEN"]
    reply = await exchange(
        hub, await browse(""), code, client_id=client, redirect_uri=callback, client_secret=secret
    )
    assert reply.status_code == 200
