"""The token page: what it lists, makes and revokes, and for whom."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from carrel.core.tokens import new_record
from carrel.domain.oauth import OAuthClient
from carrel.domain.roles import USER
from carrel.lib.ids import new_token
from tests.http.hub import HOST, Browser, Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with open_hub(tmp_path) as hub:
        yield hub


@pytest.fixture
async def browser(hub: Hub) -> AsyncIterator[Browser]:
    """Ada's browser."""
    async with hub.browser() as browser:
        await browser.log_in()
        yield browser


async def make(hub: Hub, name: str = "ada", **details: Any) -> str:
    """Return the public id of a new token of a user."""
    user = await hub.user(name)
    record = new_record(user, new_token(), ("inherit",), now=hub.clock.now())
    async with hub.ctx.store.write() as tx:
        return f"a{(await tx.tokens.add(replace(record, **details))).id}"


async def notes(hub: Hub, name: str = "ada") -> list[str]:
    user = await hub.user(name)
    async with hub.ctx.store.read() as tx:
        return [token.note for token in await tx.tokens.of_user(user.id)]


def secret_of(reply: httpx.Response) -> str:
    found = re.search(r'id="token-result" type="text" value="([0-9a-f]+)"', reply.text)
    assert found
    return found[1]


async def who(hub: Hub, secret: str) -> httpx.Response:
    """Ask the API whose a token is."""
    transport = httpx.ASGITransport(app=hub.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        return await client.get("/hub/api/user", headers={"Authorization": f"token {secret}"})


async def test_a_token_is_shown_once_and_works(hub: Hub, browser: Browser) -> None:
    reply = await browser.send_form("/hub/token", note="nightly", expires_in="3600", scopes="read:users!user")
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    secret = secret_of(reply)
    assert reply.text.count(secret) == 1
    told = (await who(hub, secret)).json()
    assert told["name"] == "ada"
    assert "servers!user=ada" not in told["scopes"]
    later = (await browser.get("/hub/token")).text
    assert "nightly" in later
    assert "in 1 hour" in later
    assert secret not in later


async def test_a_token_may_do_what_its_owner_may_when_nothing_is_said(hub: Hub, browser: Browser) -> None:
    reply = await browser.send_form("/hub/token", note="", expires_in="", scopes="")
    assert "servers!user=ada" in (await who(hub, secret_of(reply))).json()["scopes"]
    assert await notes(hub) == ["Requested on the token page"]
    assert "All of yours" in (await browser.get("/hub/token")).text


@pytest.mark.parametrize(
    ("fields", "problem", "field"),
    [
        ({"scopes": "read:usrs"}, "Did you mean &#39;read:users&#39;?", "token-scopes-problem"),
        ({"scopes": "admin:users"}, "Not assigning requested scopes", "token-scopes-problem"),
        ({"expires_in": "soon"}, "Choose one of the times.", "token-expiration-problem"),
        ({"expires_in": "-1"}, "Choose one of the times.", "token-expiration-problem"),
        ({"expires_in": "0"}, "must be a positive integer", "token-expiration-problem"),
        ({"note": "x" * 1001}, "at most 1000 characters", "token-note-problem"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_the_rest_is_kept(
    hub: Hub, browser: Browser, fields: dict[str, str], problem: str, field: str
) -> None:
    sent = {"note": "mine & yours", "expires_in": "86400", "scopes": ""} | fields
    reply = await browser.send_form("/hub/token", **sent)
    assert reply.status_code == 400
    assert problem in reply.text.partition(f'id="{field}">')[2].partition("</p>")[0]
    if "note" not in fields:
        assert 'value="mine &amp; yours"' in reply.text
    if "expires_in" not in fields:
        assert '<option value="86400" selected>' in reply.text
    assert await notes(hub) == []


async def test_lifetimes_end_at_the_longest_that_is_allowed(tmp_path: Path) -> None:
    async with open_hub(tmp_path, token_expires_in_max_seconds=7200) as hub, hub.browser() as browser:
        await browser.log_in()
        page = (await browser.get("/hub/token")).text
        assert re.findall(r'<option value="(\d*)"', page) == ["3600", ""]
        assert "2 hours (the longest)" in page
        assert (await browser.send_form("/hub/token", expires_in="86400")).status_code == 400
        assert ">in 2 hours</time>." in (await browser.send_form("/hub/token", expires_in="")).text


async def test_a_token_is_revoked_at_once(hub: Hub, browser: Browser) -> None:
    secret = secret_of(await browser.send_form("/hub/token", note="leaked"))
    await make(hub, note="kept")
    page = (await browser.get("/hub/token")).text
    token_id = re.search(r'name="revoke" value="(a\d+)"[^>]*>', page.partition("leaked")[2])
    assert token_id
    assert (await who(hub, secret)).status_code == 200
    reply = await browser.send_form("/hub/token", revoke=token_id[1])
    assert reply.headers["location"] == "/hub/token?done=revoked"
    assert (await who(hub, secret)).status_code == 403
    assert await notes(hub) == ["kept"]
    assert 'role="status">Revoked.' in (await browser.get("/hub/token?done=revoked")).text


async def test_nobody_revokes_somebody_elses(hub: Hub, browser: Browser) -> None:
    token_id = await make(hub, "bea", note="hers")
    for wrong in (token_id, "a999999", "a" + "9" * 30, "", "../a1"):
        reply = await browser.send_form("/hub/token", revoke=wrong)
        assert reply.status_code == 404
        assert 'role="alert"' in reply.text
    assert await notes(hub, "bea") == ["hers"]
    assert "hers" not in (await browser.get("/hub/token")).text


async def test_applications_go_with_all_their_tokens(hub: Hub, browser: Browser) -> None:
    client = OAuthClient("service-x", "digest", "/cb", (), description="The <b>X</b> service")
    async with hub.ctx.store.write() as tx:
        await tx.oauth.put_client(client)
    await make(hub, client_id="service-x", note="first")
    await make(hub, client_id="service-x", note="second")
    await make(hub, note="mine")
    page = (await browser.get("/hub/token")).text
    assert page.count("The &lt;b&gt;X&lt;/b&gt; service") == 1
    token_id = re.search(r'value="(a\d+)"', page.partition("Authorized applications")[2])
    assert token_id
    await browser.send_form("/hub/token", revoke=token_id[1])
    assert await notes(hub) == ["mine"]
    assert "Authorized applications" not in (await browser.get("/hub/token")).text


async def test_a_form_without_its_token_makes_and_revokes_nothing(hub: Hub, browser: Browser) -> None:
    token_id = await make(hub, note="kept")
    for fields in ({"note": "planted"}, {"note": "planted", "_xsrf": "old"}, {"revoke": token_id}):
        reply = await browser.post("/hub/token", data=fields)
        assert reply.status_code == 403
        assert "out of date" in reply.text
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    fields = {"_xsrf": await browser.xsrf("/hub/token"), "note": "planted"}
    assert (await browser.post("/hub/token", data=fields, headers=foreign)).status_code == 403
    assert await notes(hub) == ["kept"]


async def test_who_may_not_see_tokens_finds_no_page_and_no_link(hub: Hub, browser: Browser) -> None:
    async with hub.ctx.store.write() as tx:
        await tx.roles.put(replace(USER, scopes=("read:users!user",)))
    async with hub.browser() as other:
        await other.log_in("eve")
        assert (await other.get("/hub/token")).status_code == 403
        home = (await other.get("/hub/home")).text
        assert 'href="/hub/token"' not in home
        reply = await other.post("/hub/token", data={"_xsrf": await other.xsrf("/hub/home"), "note": "x"})
        assert reply.status_code == 403
    assert await notes(hub, "eve") == []


async def test_a_stranger_signs_in_first(hub: Hub) -> None:
    async with hub.browser() as stranger:
        for reply in (
            await stranger.get("/hub/token"),
            await stranger.post("/hub/token", data={"note": "x"}),
        ):
            assert reply.headers["location"] == "/hub/login?next=/hub/token"


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_notes_and_scopes_become_no_markup(hub: Hub, browser: Browser, polyglot: str) -> None:
    await make(hub, note=polyglot)
    for reply in (
        await browser.get("/hub/token"),
        await browser.send_form("/hub/token", note=polyglot, scopes=polyglot),
        await browser.get("/hub/token", params={"done": polyglot}),
    ):
        assert_harmless(reply.text, polyglot)
