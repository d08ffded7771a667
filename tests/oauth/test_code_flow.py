"""Signing in to a server: RFC 6749's code grant with RFC 7636's proof, and all that goes wrong."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest

from carrel.core.access import caller_of_token
from carrel.testing.hub import TrialHub
from tests.api.rig import API
from tests.oauth.conftest import Browse

AUTHORIZE, TOKEN = f"{API}/oauth2/authorize", f"{API}/oauth2/token"
CLIENT, CALLBACK = "jupyterhub-user-ada", "/user/ada/oauth_callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def _wish(**changes: str | None) -> str:
    fields = {"client_id": CLIENT, "redirect_uri": CALLBACK, "response_type": "code", "state": "s+/=é&"}
    merged = fields | changes
    return f"{AUTHORIZE}?{urlencode({key: value for key, value in merged.items() if value is not None})}"


async def _code(browser: httpx.AsyncClient, **changes: str | None) -> str:
    reply = await browser.get(_wish(**changes))
    assert reply.status_code == 302, reply.text
    return parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]


async def _exchange(
    hub: TrialHub, client: httpx.AsyncClient, good: str, /, **changes: str | None
) -> httpx.Response:
    fields: dict[str, str | None] = {
        "client_id": CLIENT,
        "client_secret": hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"],
        "grant_type": "authorization_code",
        "code": good,
        "redirect_uri": CALLBACK,
    }
    form = {key: value for key, value in (fields | changes).items() if value is not None}
    return await client.post(TOKEN, data=form)


async def test_the_whole_way_with_proof(hub: TrialHub, browse: Browse) -> None:
    ada, server = await browse("ada"), await browse("")
    reply = await ada.get(_wish(**PKCE))
    assert reply.status_code == 302
    target = urlsplit(reply.headers["location"])
    assert (target.scheme, target.netloc, target.path) == ("", "", CALLBACK)
    answer = parse_qs(target.query)
    assert answer["state"] == ["s+/=é&"]
    reply = await _exchange(hub, server, answer["code"][0], code_verifier=VERIFIER)
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
        "access:servers!user=ada",
        "read:users:name!user=ada",
        "read:users:groups!user=ada",
    }
    assert set(token["scope"].split()) >= {"access:servers!server=ada/", "access:servers!user=ada"}


async def test_old_clients_bring_no_proof(hub: TrialHub, browse: Browse) -> None:
    code = await _code(await browse("ada"), scope="identify user")
    assert (await _exchange(hub, await browse(""), code)).status_code == 200


async def test_the_redirect_uri_may_be_left_out_of_the_wish(hub: TrialHub, browse: Browse) -> None:
    code = await _code(await browse("ada"), redirect_uri=None)
    assert (await _exchange(hub, await browse(""), code)).status_code == 200


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
    code = await _code(await browse("ada"), **asked)
    reply = await _exchange(hub, await browse(""), code, **sent)
    assert (reply.status_code, reply.json().get("error")) == (status, error)
    assert reply.headers["content-type"].startswith("application/json")
    assert "access_token" not in reply.json()
    async with hub.ctx.store.read() as tx:
        tokens = await tx.tokens.of_user(1)
    assert [token.client_id for token in tokens] == ["jupyterhub"]


async def test_a_code_is_good_once(hub: TrialHub, browse: Browse) -> None:
    code, server = await _code(await browse("ada")), await browse("")
    assert (await _exchange(hub, server, code)).status_code == 200
    again = await _exchange(hub, server, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_spent_by_a_wrong_proof(hub: TrialHub, browse: Browse) -> None:
    code, server = await _code(await browse("ada"), **PKCE), await browse("")
    assert (await _exchange(hub, server, code, code_verifier="w" * 64)).status_code == 400
    assert (await _exchange(hub, server, code, code_verifier=VERIFIER)).status_code == 400


async def test_a_code_is_not_spent_by_somebody_without_the_secret(hub: TrialHub, browse: Browse) -> None:
    code, server = await _code(await browse("ada")), await browse("")
    assert (await _exchange(hub, server, code, client_secret="guess")).status_code == 401
    assert (await _exchange(hub, server, code)).status_code == 200


async def test_a_code_of_one_server_is_nothing_to_another(hub: TrialHub, browse: Browse) -> None:
    await hub.start("bea")
    code = await _code(await browse("ada"))
    secret = hub.world.servers[2, 1].env["JUPYTERHUB_API_TOKEN"]
    reply = await _exchange(
        hub, await browse(""), code, client_id="jupyterhub-user-bea", client_secret=secret
    )
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


async def test_an_old_code(hub: TrialHub, browse: Browse) -> None:
    code = await _code(await browse("ada"))
    await hub.clock.advance(300)
    assert (await _exchange(hub, await browse(""), code)).json()["error"] == "invalid_grant"


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
        {"response_type": "token"},
        {"response_type": None},
        {"code_challenge": "x" * 43, "code_challenge_method": "S1024"},
    ],
)
async def test_a_bad_wish_is_not_answered_by_a_redirect(browse: Browse, changes: Any) -> None:
    reply = await (await browse("ada")).get(_wish(**changes))
    assert reply.status_code == 400, reply.headers
    assert "location" not in reply.headers
    assert "Traceback" not in reply.text


async def test_somebody_who_may_not_visit(browse: Browse) -> None:
    reply = await (await browse("bea")).get(_wish())
    assert reply.status_code == 403
    assert "location" not in reply.headers


async def test_nobody_is_sent_to_sign_in_and_comes_back(browse: Browse) -> None:
    reply = await (await browse("")).get(_wish())
    assert reply.status_code == 302
    target = urlsplit(reply.headers["location"])
    assert target.path == "/hub/login"
    assert parse_qs(target.query)["next"] == [_wish()]
    reply = await (await browse("")).post(_wish())
    assert (reply.status_code, urlsplit(reply.headers["location"]).path) == (302, "/hub/login")


async def test_a_visitor_of_somebody_elses_server_is_asked_first(hub: TrialHub, browse: Browse) -> None:
    root = await browse("root")
    page = await root.get(_wish())
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    found = re.search(r'name="_xsrf"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    for wrong in ({}, {"_xsrf": "made-up"}):
        refused = await root.post(_wish(), data=wrong)
        assert refused.status_code == 403
        assert "location" not in refused.headers
    agreed = await root.post(_wish(), data={"_xsrf": found[1]})
    assert agreed.status_code == 302
    code = parse_qs(urlsplit(agreed.headers["location"]).query)["code"][0]
    token = (await _exchange(hub, await browse(""), code)).json()["access_token"]
    caller = await caller_of_token(hub.ctx, token)
    assert caller is not None
    assert (caller.user.name, caller.may("access:servers", server="ada/")) == ("root", True)
    assert not caller.may("admin:users", user="ada")


async def test_another_site_cannot_agree_for_a_visitor(browse: Browse) -> None:
    root = await browse("root")
    page = await root.get(_wish())
    found = re.search(r'name="_xsrf"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    reply = await root.post(_wish(), data={"_xsrf": found[1]}, headers=headers)
    assert reply.status_code == 403


async def test_a_client_ends_with_its_server(hub: TrialHub, browse: Browse) -> None:
    ada, server = await browse("ada"), await browse("")
    code = await _code(ada)
    secret = hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
    await hub.stop("ada")
    assert (await ada.get(_wish())).status_code == 400
    assert (await _exchange(hub, server, code, client_secret=secret)).status_code == 401


async def test_odd_names_come_round(hub: TrialHub, browse: Browse) -> None:
    name = "a b@ü%"
    await hub.make_user(name)
    server = await hub.start(name)
    client, callback = (
        f"jupyterhub-user-{quote(name, safe='')}",
        f"/user/{quote(name, safe='@')}/oauth_callback",
    )
    code = await _code(await browse(name), client_id=client, redirect_uri=callback)
    secret = hub.world.servers[server.id, 1].env["JUPYTERHUB_API_TOKEN"]
    reply = await _exchange(
        hub, await browse(""), code, client_id=client, redirect_uri=callback, client_secret=secret
    )
    assert reply.status_code == 200
