"""Logging in at a running `carrel-singleuser` through a hub, and what can go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from singleuser_browser import (
    Browser,
    cookies_of,
    log_in,
    refusal,
)
from singleuser_fakehub import CLIENT_ID, FakeHub
from singleuser_process import SingleUserProcess
from yarl import URL

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]


async def test_the_login_of_a_browser(browser: Browser, hub: FakeHub, server: SingleUserProcess) -> None:
    async with browser.get(f"{server.url}lab?reset", allow_redirects=False) as reply:
        assert reply.status == 302
        state_cookie = cookies_of(reply)[f"{CLIENT_ID}-oauth-state"]
        query = {
            name: value[0] for name, value in parse_qs(urlsplit(reply.headers["Location"]).query).items()
        }
    assert state_cookie["path"] == "/user/alice/"
    assert state_cookie["max-age"] == "600"
    assert state_cookie["httponly"]
    assert len(query["code_challenge"]) == 43
    async with browser.get(f"{server.url}lab?reset") as reply:
        assert reply.status == 200
        assert str(reply.url) == f"{server.url}lab?reset"
        callback = reply.history[-1]
    login = cookies_of(callback)[CLIENT_ID]
    assert login["path"] == "/user/alice/"
    assert login["httponly"]
    assert not login["secure"]
    second = [name for name in cookies_of(reply.history[0]) if name.startswith(f"{CLIENT_ID}-oauth-state-")]
    assert len(second) == 1, "a log-in in a second tab does not replace the first one's state"
    async with browser.get(f"{server.url}api/me") as reply:
        identity = (await reply.json())["identity"]
    assert identity == {
        "username": "alice",
        "name": "Alice Liddell",
        "display_name": "Alice",
        "initials": "AL",
        "color": "#336699",
        "avatar_url": None,
    }


async def test_logout_leads_to_the_hub(browser: Browser, hub: FakeHub, server: SingleUserProcess) -> None:
    await log_in(browser, server)
    async with browser.get(f"{server.url}logout") as reply:
        assert str(reply.url) == f"{hub.url}/hub/logout"
    assert (await refusal(browser, f"{server.url}api/contents"))[0] == 403
    assert (await refusal(browser, f"{server.url}lab"))[0] == 302


async def test_a_revoked_login_is_cleared(browser: Browser, hub: FakeHub, server: SingleUserProcess) -> None:
    before = set(hub.tokens)
    await log_in(browser, server)
    (token,) = set(hub.tokens) - before
    del hub.tokens[token]
    browser.cookie_jar.update_cookies({"jupyterhub-session-id": "new"}, URL(server.url))
    async with browser.get(f"{server.url}api/contents") as reply:
        assert reply.status == 403
        assert cookies_of(reply)[CLIENT_ID].value == ""


async def test_a_state_is_bound_to_the_browser_and_works_once(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    callback = f"{server.url}oauth_callback"
    for query in ("", "?code=x", "?code=x&state=", "?code=x&state=made-up"):
        status, text = await refusal(browser, callback + query)
        assert (status, "The log-in did not succeed" in text) == (403, True), query
    await log_in(browser, server)
    state = hub.authorized[-1]["state"]
    assert (await refusal(browser, f"{callback}?code=x&state={state}"))[0] == 403
    async with Browser(cookie_jar=aiohttp.CookieJar(unsafe=True)) as victim:
        await refusal(victim, f"{server.url}lab")
        assert (await refusal(victim, f"{callback}?code=x&state={state}"))[0] == 403


async def test_a_state_cookie_played_back_does_nothing(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    async with browser.get(f"{server.url}lab", allow_redirects=False) as reply:
        pending = cookies_of(reply)[f"{CLIENT_ID}-oauth-state"].value
        state = parse_qs(urlsplit(reply.headers["Location"]).query)["state"][0]
    url = f"{server.url}oauth_callback?code=wrong&state={state}"
    async with Browser(cookies={f"{CLIENT_ID}-oauth-state": pending}) as replay:
        status, text = await refusal(replay, url)
        assert (status, "invalid_grant" in text) == (500, True)
        assert (await refusal(replay, url))[0] == 403


async def test_the_hubs_refusal_is_shown_escaped(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    hub.refuse_authorize = True
    async with browser.get(f"{server.url}lab") as reply:
        assert reply.status == 403
        assert "&lt;b&gt;not today&lt;/b&gt;" in await reply.text()


async def test_a_browser_that_drops_the_login_is_told_so(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    class Forgetful(aiohttp.CookieJar):
        def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
            kept = [header for header in headers if not header.startswith(f"{CLIENT_ID}=")]
            super().update_cookies_from_headers(kept, response_url)

    async with (
        Browser(cookie_jar=Forgetful(unsafe=True)) as forgetful,
        forgetful.get(f"{server.url}lab", max_redirects=30) as reply,
    ):
        assert reply.status == 403
        assert "The log-in goes round in circles" in await reply.text()
        assert len(reply.history) <= 12
    async with (
        Browser(cookie_jar=aiohttp.DummyCookieJar()) as cookieless,
        cookieless.get(f"{server.url}lab") as reply,
    ):
        assert reply.status == 403
        assert "refuses this site&#x27;s cookies" in await reply.text()


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "/user/bob/lab"])
async def test_a_login_never_leaves_this_server(
    browser: Browser, server: SingleUserProcess, elsewhere: str
) -> None:
    for _ in range(2):
        async with browser.get(f"{server.url}login", params={"next": elsewhere}) as reply:
            assert reply.status == 200
            assert f"{reply.url.origin()}{reply.url.path}" == f"{server.url}lab"


async def test_cookies_are_secure_behind_https(browser: Browser, server: SingleUserProcess) -> None:
    for forwarded, secure in (("https", True), ("https,http", True), ("http", False)):
        headers = {"X-Forwarded-Proto": forwarded}
        async with browser.get(f"{server.url}lab", headers=headers, allow_redirects=False) as reply:
            cookies = [morsel for name, morsel in cookies_of(reply).items() if "oauth-state" in name]
            assert [bool(morsel["secure"]) for morsel in cookies] == [secure]
