"""OpenID Connect: what is said about whom, to whom, and who can check it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from carrel.app.web_app import build_web_app
from carrel.core.openid import load_keys
from carrel.domain.signing import SHOWN_AFTER, SHOWN_BEFORE, SIGNS
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.rig import API
from tests.oauth.applications import ISSUER, PKCE, VERIFIER, agree, answer_of, come_back, exchange, wish
from tests.oauth.conftest import Browse

USERINFO, JWKS = f"{API}/oauth2/userinfo", f"{API}/oauth2/jwks"
CONFIGURATION = "/hub/.well-known/openid-configuration"


async def _sign_in(browse: Browse, browser: httpx.AsyncClient, **asked: str) -> dict[str, Any]:
    """Go the whole way as an application does it, and return what it is given."""
    answer = await agree(browser, wish(**{"nonce": "n0nce", **PKCE, **asked}))
    reply = await exchange(await browse(""), answer["code"], code_verifier=VERIFIER)
    assert reply.status_code == 200, reply.text
    given: dict[str, Any] = reply.json()
    return given


async def _claims(browse: Browse, token: str, hub: TrialHub, **expected: Any) -> dict[str, Any]:
    """Return what an id_token says, checked against the published keys as any application does it."""
    keys = KeySet.import_key_set((await (await browse("")).get(JWKS)).json())
    claims: dict[str, Any] = jwt.decode(token, keys, algorithms=["RS256"]).claims
    wanted: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in expected.items()}
    registry = jwt.JWTClaimsRegistry(
        now=lambda: int(hub.clock.now()),
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": "wiki"},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        auth_time={"essential": True},
        **wanted,
    )
    registry.validate(claims)
    return claims


async def test_an_application_signs_its_users_in(hub: TrialHub, browse: Browse) -> None:
    info = {"display_name": "Ada L.", "email": "ada@example.org", "email_verified": True}
    async with hub.ctx.store.write() as tx:
        await tx.users.set_info(1, info)
    await hub.make_group("tutors", "ada")
    token = await _sign_in(browse, await browse("ada"), scope="openid profile email groups")
    claims = await _claims(browse, token["id_token"], hub, nonce="n0nce")
    told = {
        "preferred_username": "ada",
        "name": "Ada L.",
        "email": "ada@example.org",
        "email_verified": True,
        "groups": ["tutors"],
    }
    assert {key: claims.get(key) for key in told} == told
    assert claims["exp"] - claims["iat"] == 3600
    half = hashlib.sha256(token["access_token"].encode()).digest()[:16]
    assert base64.urlsafe_b64decode(claims["at_hash"] + "==") == half
    headers, nobody = {"Authorization": f"Bearer {token['access_token']}"}, await browse("")
    user_info = (await nobody.get(USERINFO, headers=headers)).json()
    assert user_info == told | {"sub": claims["sub"]}
    assert (await nobody.post(USERINFO, headers=headers)).json() == user_info
    await hub.clock.advance(5)
    renewed = (await come_back(nobody, token["refresh_token"])).json()
    again = await _claims(browse, renewed["id_token"], hub)
    assert (again["sub"], again["auth_time"]) == (claims["sub"], claims["auth_time"])
    assert again["iat"] == claims["iat"] + 5
    assert "nonce" not in again


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("openid", set()),
        ("openid profile", {"preferred_username", "name"}),
        ("openid email", {"email", "email_verified"}),
        ("openid groups", {"groups"}),
        ("openid unheard-of", set()),
    ],
)
async def test_nothing_is_told_that_was_not_asked_for(
    hub: TrialHub, browse: Browse, scope: str, told: set[str]
) -> None:
    async with hub.ctx.store.write() as tx:
        await tx.users.set_info(1, {"email": "ada@example.org", "email_verified": "yes"})
    token = await _sign_in(browse, await browse("ada"), scope=scope)
    claims = await _claims(browse, token["id_token"], hub)
    fixed = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash"}
    assert set(claims) == fixed | told
    # Nothing but a plain yes is one.
    assert claims.get("email_verified", False) is False


async def test_a_subject_is_for_good(hub: TrialHub, browse: Browse) -> None:
    """A name that is given to somebody else does not take the first one's account along."""
    subjects = []
    for name, renamed in (("ada", "countess"), ("countess", ""), ("bea", "ada"), ("ada", "")):
        token = await _sign_in(browse, await browse(name), prompt="consent")
        subjects.append((await _claims(browse, token["id_token"], hub))["sub"])
        if renamed:
            async with hub.ctx.store.write() as tx:
                user = await tx.users.get(name)
                assert user is not None
                await tx.users.rename(user.id, renamed)
    assert subjects[0] == subjects[1] != subjects[2] == subjects[3]


async def test_keys_are_made_once_and_take_turns(hub: TrialHub) -> None:
    """A key is shown a day before it signs and a week after it has signed last."""
    ctx = hub.ctx
    [first] = await load_keys(ctx)
    assert [key.id for key in await load_keys(ctx)] == [first.id]
    assert "BEGIN" not in repr(first)
    shown: list[set[str]] = []
    for moment in (SIGNS, SIGNS + SHOWN_BEFORE, 2 * SIGNS, 2 * SIGNS + SHOWN_BEFORE + SHOWN_AFTER):
        hub.clock.jump(first.created + moment - hub.clock.now())
        shown.append({key.id for key in await load_keys(ctx)})
    assert [first.id in each for each in shown] == [True, True, False, False]
    assert [len(each) for each in shown] == [2, 2, 2, 1]


async def test_what_is_published_is_public(browse: Browse) -> None:
    browser = await browse("")
    found = await browser.get(CONFIGURATION)
    assert found.status_code == 200
    assert (await browser.get("/.well-known/openid-configuration")).json() == found.json()
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        assert found.json()[name].startswith(f"{ISSUER}/api/oauth2/")
        assert (await browser.get(found.json()[name])).status_code != 404
    keys = await browser.get(JWKS)
    [key] = keys.json()["keys"]
    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}
    assert keys.headers["access-control-allow-origin"] == "*"


async def test_the_issuer_is_the_requests_address_when_nobody_says_otherwise() -> None:
    async with open_test_hub(work=False, base_url="/base/") as hub:
        transport = httpx.ASGITransport(app=build_web_app(hub.ctx))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.example:8000") as browser:
            found = await browser.get("/base/hub/.well-known/openid-configuration")
            assert found.json()["issuer"] == "http://hub.example:8000/base/hub"
            for host in ("evil.example/x", "evil.example?x", "a@b", ""):
                reply = await browser.get(
                    "/base/hub/.well-known/openid-configuration", headers={"Host": host}
                )
                assert reply.status_code == 400, host


async def test_user_info_takes_a_token_that_was_given_for_it(hub: TrialHub, browse: Browse) -> None:
    ada, nobody = await browse("ada"), await browse("")
    other = await hub.token_of((await hub.find("ada")).user)
    given = await agree(ada, wish(scope="read:servers!user"))
    for headers, status, error in (
        ({}, 401, "invalid_token"),
        ({"Authorization": "Bearer made-up"}, 401, "invalid_token"),
        ({"Authorization": f"Bearer {other}"}, 403, "insufficient_scope"),
        ({"Authorization": f"Bearer {given['code']}"}, 401, "invalid_token"),
    ):
        for reply in (
            await nobody.get(USERINFO, headers=headers),
            await nobody.post(USERINFO, headers=headers),
        ):
            assert (reply.status_code, reply.json()["error"]) == (status, error)
            assert error in reply.headers["www-authenticate"]
    assert (await nobody.get(f"{USERINFO}?access_token={other}")).status_code == 401
    assert (await nobody.post(USERINFO, data={"access_token": other})).status_code == 401
    # The cookie of a log-in is no token.
    assert (await ada.get(USERINFO)).status_code == 401


async def test_an_application_can_ask_without_showing_anything(browse: Browse) -> None:
    nobody, ada = await browse(""), await browse("ada")
    silent = wish(prompt="none")
    assert answer_of(await nobody.get(silent))["error"] == "login_required"
    assert answer_of(await ada.get(silent))["error"] == "consent_required"
    assert answer_of(await ada.get(wish(prompt="none login")))["error"] == "invalid_request"
    docs = {"client_id": "docs", "redirect_uri": "https://docs.example/callback"}
    assert "code" in answer_of(await ada.get(wish(prompt="none", **docs)))
    # Nobody is sent to an address that is not the client's, whoever they are.
    reply = await nobody.get(wish(prompt="none", redirect_uri="https://evil.example/"))
    assert (reply.status_code, "location" in reply.headers) == (400, False)


async def test_an_application_can_ask_for_a_fresh_log_in(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    await hub.clock.advance(5)
    assert (await ada.get(wish(max_age="5"))).status_code == 200
    for asked, stays in (({"max_age": "4"}, "max_age=4"), ({"prompt": "login consent"}, "prompt=consent")):
        reply = await ada.get(wish(**asked))
        target = urlsplit(reply.headers["location"])
        assert (reply.status_code, target.path) == (302, "/hub/login")
        login = await ada.get(reply.headers["location"])
        assert login.status_code == 200
        [back] = parse_qs(target.query)["next"]
        assert stays in back
        assert "login" not in parse_qs(urlsplit(back).query).get("prompt", [""])[0]
    assert answer_of(await ada.get(wish(max_age="4", prompt="none")))["error"] == "login_required"
    for bad in ("x", "-1", "1" * 20):
        assert answer_of(await ada.get(wish(max_age=bad)))["error"] == "invalid_request"


async def test_a_hub_scope_is_not_got_by_its_name_twin(hub: TrialHub, browse: Browse) -> None:
    """The hub's own `groups` lets its holder change groups; the claim only names them."""
    root = await browse("root")
    answer = answer_of(await root.get(wish(scope="groups")))
    assert answer["error"] == "invalid_scope"
    answer = await agree(root, wish(scope="openid groups"))
    assert "code" in answer
    async with hub.ctx.store.read() as tx:
        assert await tx.tokens.of_user(3) is not None
