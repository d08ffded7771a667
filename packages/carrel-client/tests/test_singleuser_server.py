"""A running `carrel-singleuser` against a hub: who gets in, and what they find."""

from __future__ import annotations

import asyncio
import json
import re

import aiohttp
import pytest
from singleuser_browser import (
    KERNELS,
    Browser,
    bearer,
    cookies_of,
    execute,
    log_in,
    refusal,
    start_kernel,
    websocket_status,
    xsrf,
)
from singleuser_fakehub import CLIENT_ID, SERVER_TOKEN, FakeHub
from singleuser_process import SingleUserProcess

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]


async def test_pages_know_the_hub(browser: Browser, hub: FakeHub, server: SingleUserProcess) -> None:
    hub.signed_in = "carol"
    page = await log_in(browser, server)
    found = re.search(r'<script id="jupyter-config-data" type="application/json">(.*?)</script>', page, re.S)
    assert found
    config = json.loads(found.group(1))
    wanted = {
        "hubUser": "carol",
        "hubServerUser": "alice",
        "hubServerName": "",
        "hubPrefix": "/hub/",
        "hubHost": hub.url,
        "shareUrl": "/hub/user-redirect",
        "token": "",
        "baseUrl": "/user/alice/",
    }
    assert {name: config[name] for name in wanted} == wanted
    assert SERVER_TOKEN not in page


async def test_headers_of_every_reply(browser: Browser, server: SingleUserProcess) -> None:
    for path in ("", "api", "api/kernels", "lab", "static/none", "oauth_callback", "nowhere/"):
        async with browser.get(f"{server.url}{path}", allow_redirects=False) as reply:
            assert reply.headers["X-JupyterHub-Version"] == "6.1.1", path
            assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"], path


async def test_the_root_leads_to_jupyterlab(browser: Browser, server: SingleUserProcess) -> None:
    async with browser.get(server.url) as reply:
        assert reply.status == 200
        assert reply.url.path == "/user/alice/lab"


async def test_an_anonymous_visitor_is_refused(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    for page in ("lab", "files/server.log", "tree", "nowhere"):
        async with browser.get(f"{server.url}{page}", allow_redirects=False) as reply:
            assert reply.status == 302, page
            assert reply.headers["Location"].startswith(f"{hub.url}/hub/api/oauth2/authorize?"), page
    for path in ("api/contents", "api/me", "api/status", "lab/api/workspaces", "api/kernels?token="):
        assert (await refusal(browser, f"{server.url}{path}"))[0] == 403, path
    async with browser.post(f"{server.url}api/kernels") as reply:
        assert reply.status == 403
    for channel in ("api/kernels/1-2-3-4-5/channels", "terminals/websocket/1", "api/events/subscribe"):
        assert await websocket_status(browser, f"{server.url}{channel}") == 403, channel


@pytest.mark.parametrize("token", ["token-of-bob", "no-such-token", SERVER_TOKEN])
async def test_another_token_does_nothing(browser: Browser, server: SingleUserProcess, token: str) -> None:
    for path in ("api/contents", "api/me"):
        assert (await refusal(browser, f"{server.url}{path}", headers=bearer(token)))[0] == 403
    url = f"{server.url}api/events/subscribe"
    assert await websocket_status(browser, url, headers=bearer(token)) == 403
    assert await websocket_status(browser, f"{url}?token={token}") == 403
    async with browser.post(f"{server.url}api/kernels", headers=bearer(token)) as reply:
        assert reply.status == 403


@pytest.mark.parametrize("token", ["token-of-alice", "token-of-carol", "token-of-admin"])
async def test_a_token_with_access_works(browser: Browser, server: SingleUserProcess, token: str) -> None:
    for scheme in ("token", "Bearer"):
        headers = {"Authorization": f"{scheme} {token}"}
        async with browser.get(f"{server.url}api/contents", headers=headers) as reply:
            assert reply.status == 200
            assert CLIENT_ID not in cookies_of(reply), "a token in a header logs no browser in"
    async with browser.put(
        f"{server.url}api/contents/by-token.txt",
        json={"type": "file", "format": "text", "content": token},
        headers=bearer(token),
    ) as reply:
        assert reply.status in {200, 201}


async def test_a_token_in_the_url_opens_websockets_only(browser: Browser, server: SingleUserProcess) -> None:
    url = f"{server.url}api/events/subscribe?token=token-of-alice"
    assert await websocket_status(browser, url) == 101
    assert (await refusal(browser, f"{server.url}api/contents?token=token-of-alice"))[0] == 403
    assert (await refusal(browser, f"{server.url}lab?token=token-of-alice"))[0] == 302


async def test_a_visitor_without_access_gets_a_page(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    hub.signed_in = "bob"
    async with browser.get(f"{server.url}lab") as reply:
        text = await reply.text()
        assert reply.status == 403
        assert CLIENT_ID not in cookies_of(reply)
    assert "You have no access to this server" in text
    assert "bob" in text
    assert f'href="{hub.url}/hub/home"' in text
    status, text = await refusal(browser, f"{server.url}lab", headers=bearer("token-of-bob"))
    assert (status, "alice&#x27;s server" in text) == (403, True)


async def test_a_cell_runs_over_the_websocket_and_outlives_the_hub(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    await log_in(browser, server)
    kernel = await start_kernel(browser, server, xsrf(browser, server))
    url = f"{server.url}{KERNELS}/{kernel}/channels"
    assert await websocket_status(browser, url, origin="http://elsewhere.example") == 403
    async with browser.ws_connect(url, origin=server.origin) as channel:
        assert await execute(channel, "6*7") == "42"
        await hub.stop()
        assert await execute(channel, "6*8") == "48"
        async with browser.get(f"{server.url}api/kernels") as reply:
            assert reply.status == 200, "who is known stays logged in"
        status, text = await refusal(browser, f"{server.url}lab", headers=bearer("met-for-the-first-time"))
        assert (status, "The hub does not answer" in text) == (502, True)
        assert "Traceback" not in text
        status, text = await refusal(
            browser, f"{server.url}api/contents", headers=bearer("met-for-the-first-time")
        )
        assert (status, "does not answer" in json.loads(text)["message"]) == (502, True)
        await hub.start()
        assert await execute(channel, "6*9") == "54"
    async with browser.delete(f"{server.url}{KERNELS}/{kernel}", headers=xsrf(browser, server)) as reply:
        assert reply.status == 204
    async with Browser(cookie_jar=aiohttp.CookieJar(unsafe=True)) as another:
        await log_in(another, server)


async def test_a_hub_that_fails_is_told_as_such(
    browser: Browser, hub: FakeHub, server: SingleUserProcess
) -> None:
    hub.failing = True
    status, _text = await refusal(browser, f"{server.url}api/contents", headers=bearer("another-new-token"))
    assert status == 502
    async with browser.get(f"{server.url}lab") as reply:
        assert reply.status == 502
        assert "The hub does not answer" in await reply.text()
    async with browser.get(f"{server.url}api", headers=bearer("another-new-token")) as reply:
        assert reply.status == 200, "what needs nobody's name needs no hub"


async def test_a_write_with_the_cookie_needs_the_xsrf_token(
    browser: Browser, server: SingleUserProcess
) -> None:
    await log_in(browser, server)
    file = {"type": "file", "format": "text", "content": "hello"}
    async with browser.put(f"{server.url}api/contents/a.txt", json=file) as reply:
        assert reply.status == 403
    token = xsrf(browser, server)
    async with browser.put(f"{server.url}api/contents/a.txt", json=file, headers=token) as reply:
        assert reply.status == 201
    foreign = token | {"Origin": "http://elsewhere.example"}
    async with browser.put(f"{server.url}api/contents/a.txt", json=file, headers=foreign) as reply:
        assert reply.status == 404


async def test_terminals_need_the_login_too(browser: Browser, server: SingleUserProcess) -> None:
    await log_in(browser, server)
    async with browser.post(f"{server.url}api/terminals", headers=xsrf(browser, server)) as reply:
        name = (await reply.json())["name"]
    url = f"{server.url}terminals/websocket/{name}"
    assert await websocket_status(browser, url, origin=server.origin) == 101
    assert await websocket_status(browser, url, origin="http://elsewhere.example") == 403
    async with Browser() as stranger:
        assert await websocket_status(stranger, url, origin=server.origin) == 403
    async with browser.delete(f"{server.url}api/terminals/{name}", headers=xsrf(browser, server)) as reply:
        assert reply.status == 204


async def test_activity_is_reported(browser: Browser, hub: FakeHub, server: SingleUserProcess) -> None:
    async with asyncio.timeout(20):
        while len(hub.activity) < 2:
            await (await browser.get(f"{server.url}api/contents", headers=bearer("token-of-alice"))).read()
            await asyncio.sleep(0.1)
    first, second = hub.activity[0], hub.activity[-1]
    assert list(first["servers"]) == [""]
    assert first["last_activity"] == first["servers"][""]["last_activity"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["last_activity"])
    assert second["last_activity"] > first["last_activity"]


async def test_no_secret_in_the_log(server: SingleUserProcess) -> None:
    assert SERVER_TOKEN not in server.log
    assert "token-of-" not in server.log
    assert "Traceback" not in server.log
