"""The page that asks, and everything by which somebody could be made to agree to what they did not see."""

from __future__ import annotations

import re
from typing import Any

import pytest

from carrel.core.access import caller_of_token
from carrel.testing.hub import TrialHub, open_test_hub
from tests.oauth.applications import CALLBACK, WIKI, agree, answer_of, exchange, form_of, wish
from tests.oauth.conftest import Browse, open_browsers

IDENTITY = {"read:users:name!user", "read:users:groups!user"}
MORE = "openid profile email groups offline_access read:servers!user"


async def test_the_page_says_who_asks_for_what_in_words(browse: Browse) -> None:
    page = await (await browse("ada")).get(wish(scope=MORE))
    for text in (
        "<strong>The wiki</strong>",
        "<strong>https://wiki.example</strong>",
        "<strong>ada</strong>",
        "See your e-mail address.",
        "See which groups you are in.",
        "Stay connected after you have signed out.",
        "See servers and their owners&#39; names.",
        "only you",
    ):
        assert text in page.text
    assert set(form_of(page)["scopes"]) == {
        "oidc:openid",
        "oidc:profile",
        "oidc:email",
        "oidc:groups",
        "oidc:offline_access",
        "read:servers!user",
    }


async def test_the_page_is_framed_by_nobody_and_its_form_leads_to_the_client_alone(browse: Browse) -> None:
    page = await (await browse("ada")).get(wish())
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://wiki.example" in policy.split("; ")
    assert page.headers["cache-control"] == "no-store"
    own = await (await browse("ada")).get("/hub/home")
    assert "form-action 'self'" in own.headers["content-security-policy"].split("; ")


async def test_who_agrees_is_sent_back_and_not_asked_again(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    answer = await agree(ada, wish())
    assert (answer["state"], answer["iss"], answer["from"]) == ("s1", "https://hub.test/hub", "hub")
    assert (await exchange(await browse(""), answer["code"])).status_code == 200
    assert "code" in answer_of(await ada.get(wish()))
    assert (await ada.get(wish(scope="openid email"))).status_code == 200
    assert (await ada.get(wish(prompt="consent"))).status_code == 200
    # Also when the access token is gone, but not the grant.
    await hub.clock.advance(3600)
    assert "code" in answer_of(await ada.get(wish()))


async def test_who_refuses_is_sent_back_too(browse: Browse) -> None:
    ada = await browse("ada")
    form = form_of(await ada.get(wish()))
    answer = answer_of(await ada.post(wish(), data=form | {"deny": "1"}))
    assert (answer["error"], answer["state"]) == ("access_denied", "s1")
    assert "code" not in answer


async def test_an_application_that_is_trusted_asks_nobody(browse: Browse) -> None:
    docs = {"client_id": "docs", "redirect_uri": "https://docs.example/callback"}
    assert "code" in answer_of(await (await browse("ada")).get(wish(**docs)))


@pytest.mark.parametrize("form", [{}, {"_xsrf": ""}, {"_xsrf": "made-up"}])
async def test_nothing_is_agreed_to_without_the_forms_token(browse: Browse, form: Any) -> None:
    reply = await (await browse("ada")).post(wish(), data=form)
    assert (reply.status_code, "location" in reply.headers) == (403, False)


async def test_the_token_of_somebody_elses_form_is_worth_nothing(browse: Browse) -> None:
    theirs = form_of(await (await browse("bea")).get(wish()))
    reply = await (await browse("ada")).post(wish(), data=theirs)
    assert (reply.status_code, "location" in reply.headers) == (403, False)


async def test_nothing_is_agreed_to_that_the_page_did_not_show(hub: TrialHub, browse: Browse) -> None:
    ada = await browse("ada")
    form = form_of(await ada.get(wish()))
    for added in ("admin:users", "inherit", "read:servers!user", "oidc:email", "users"):
        reply = await ada.post(wish(), data=form | {"scopes": [*form["scopes"], added]})
        assert (reply.status_code, "location" in reply.headers) == (400, False)
    # An address that asks for more, with the form of one that asked for less.
    answer = answer_of(await ada.post(wish(scope=MORE), data=form))
    given = (await exchange(await browse(""), answer["code"])).json()
    assert set(given["scope"].split()) == {"openid", "profile", *IDENTITY}
    caller = await caller_of_token(hub.ctx, given["access_token"])
    assert caller is not None
    assert caller.scopes.names == {"read:users:name!user=ada", "read:users:groups!user=ada"}


async def test_who_unticks_a_scope_does_not_give_it(browse: Browse) -> None:
    ada = await browse("ada")
    form = form_of(await ada.get(wish(scope=MORE)))
    answer = answer_of(await ada.post(wish(scope=MORE), data=form | {"scopes": ["oidc:openid"]}))
    given = (await exchange(await browse(""), answer["code"])).json()
    assert set(given["scope"].split()) == {"openid", *IDENTITY}


async def test_the_page_repeats_nothing_that_could_be_markup(browse: Browse) -> None:
    attack = '"><script>alert(1)</script>'
    page = await (await browse("ada")).get(wish(state=attack, nonce=attack, login_hint=attack))
    assert "<script>alert" not in page.text
    assert page.status_code == 200


async def test_a_visitor_is_never_sent_to_an_address_that_is_not_the_clients(browse: Browse) -> None:
    ada = await browse("ada")
    for uri in (
        "https://wiki.example/callback",
        f"{CALLBACK}&x=1",
        f"{CALLBACK}#x",
        CALLBACK.upper(),
        CALLBACK.replace("https", "http"),
        CALLBACK.replace("wiki.example", "wiki.example.evil.example"),
        CALLBACK.replace("wiki.example", "wiki.example@evil.example"),
        CALLBACK.replace("wiki.example", "evil@wiki.example"),
        CALLBACK.replace("wiki.example", "wiki.example:443"),
        CALLBACK.replace("wiki.example", "wiki.example."),
        CALLBACK.replace("/callback", "/x/../callback"),
        CALLBACK.replace("/callback", "//callback"),
        CALLBACK.replace("/callback", "/%63allback"),
        CALLBACK.replace("//", "/\\"),
        f" {CALLBACK}",
        "https://docs.example/callback",
        "/user/ada/oauth_callback",
        "",
    ):
        for changes in ({}, {"response_type": "token"}, {"scope": "no:such"}, {"prompt": "none"}):
            reply = await ada.get(wish(redirect_uri=uri, **changes))
            assert (reply.status_code, "location" in reply.headers) == (400, False), uri
    # Which one of several is meant has to be said.
    assert (await ada.get(wish(redirect_uri=None))).status_code == 400
    other = await ada.get(wish(redirect_uri="https://wiki.example/other"))
    assert other.status_code == 200


async def test_an_application_for_some_is_for_nobody_else() -> None:
    """Not even the page is shown to others, and nothing is told to the application."""
    custom = {"custom:wiki:read": {"description": "Read the wiki."}}
    roles = [{"name": "readers", "scopes": ["custom:wiki:read"], "users": ["ada"]}]
    wiki = WIKI | {"access_scopes": ["custom:wiki:read"]}
    async with open_test_hub(custom_scopes=custom, load_roles=roles, oauth_clients=[wiki]) as hub:
        await hub.make_user("bea")
        async with open_browsers(hub) as browse:
            answer = await agree(await browse("ada"), wish())
            given = (await exchange(await browse(""), answer["code"])).json()
            assert "custom:wiki:read" in given["scope"].split()
            for send in ("get", "post"):
                bea = await browse("bea")
                token = re.findall(r'name="_xsrf" value="([^"]+)"', (await bea.get("/hub/home")).text)
                options = {"data": {"_xsrf": token[0]}} if send == "post" else {}
                reply = await getattr(bea, send)(wish(), **options)
                assert (reply.status_code, "location" in reply.headers) == (403, False)
