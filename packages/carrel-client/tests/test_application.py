"""`carrel-app` before a real application: log-in, streams, websockets, and what must not get through."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from application_rig import APP, NAVIGATE, App, get_json, logged_in, raw
from singleuser_fakehub import FakeHub
from singleuser_process import PREFIX

from carrel_client.application.identity import read_identity

pytestmark = pytest.mark.real


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub() -> AsyncIterator[FakeHub]:
    made = FakeHub()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    home = tmp_path_factory.mktemp("app")
    app = await App.start(hub, home, "--", *APP, "{port}", "{base_url}", JUPYTERHUB_ACTIVITY_INTERVAL="1")
    await app.until_served()
    yield app
    assert await app.stop() == 0, app.log
    assert "Traceback" not in app.log, app.log


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    async with await logged_in(app) as browser:
        yield browser


module_loop = pytest.mark.asyncio(loop_scope="module")


@module_loop
async def test_a_visitor_logs_in_and_the_application_is_told_who_it_is(
    app: App, browser: aiohttp.ClientSession
) -> None:
    spoofed = {"X-Forwarded-User": "root", "X_Forwarded_User": "root", "X-Carrel-Identity": "forged"}
    seen = await get_json(browser, raw(f"{app.url}a/b?x=%2F&y"), headers={**NAVIGATE, **spoofed})
    assert seen["path"] == f"{PREFIX}a/b?x=%2F&y"
    headers = [(name.lower(), value) for name, value in seen["headers"]]
    assert [value for name, value in headers if name.replace("_", "-") == "x-forwarded-user"] == ["alice"]
    assert dict(headers)["host"] == f"127.0.0.1:{app.port}"
    assert "jupyterhub" not in json.dumps(headers).lower().replace("x-jupyterhub-version", "")
    identity = read_identity(dict(headers), seen["key"])
    assert identity is not None
    assert identity.name == "alice"
    assert seen["token"] is None, "the server's token is none of the application's"


@module_loop
async def test_strangers_and_people_without_access_reach_nothing(app: App, hub: FakeHub) -> None:
    paths = (
        "", "hello", "ws", "static/../hello", "%2e%2e/hello", "/hello", "login/../hello",
        "oauth_callback/hello", "login%2f", "hello;login", "hello?login", "logout/",
    )  # fmt: skip
    async with aiohttp.ClientSession() as stranger:
        for path in paths:
            for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PROPFIND"):
                url = f"{app.origin}{PREFIX}{path}"
                options: dict[str, Any] = {"headers": {"Sec-Fetch-Mode": "cors"}, "allow_redirects": False}
                async with stranger.request(method, raw(url), **options) as reply:
                    assert reply.status == 403, (method, path, reply.status)
        async with stranger.get(f"{app.url}hello", headers=NAVIGATE, allow_redirects=False) as reply:
            assert reply.status == 302
            assert reply.headers["Location"].startswith(f"{hub.url}/hub/api/oauth2/authorize?")
        for token, status in (("token-of-bob", 403), ("no-such-token", 403), ("token-of-carol", 200)):
            bearer = {"Authorization": f"Bearer {token}"}
            async with stranger.get(f"{app.url}hello", headers=bearer) as reply:
                assert reply.status == status
        seen = await get_json(stranger, f"{app.url}hello", headers={"Authorization": "token token-of-carol"})
        assert "token-of-carol" not in json.dumps(seen)
        assert ["X-Forwarded-User", "carol"] in seen["headers"]


@module_loop
async def test_the_next_of_a_log_in_stays_here(app: App, browser: aiohttp.ClientSession) -> None:
    for wanted in (
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        f"{PREFIX}../bob/",
        "/user/bob/",
    ):
        async with browser.get(f"{app.url}login", params={"next": wanted}, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"]) == (302, PREFIX), wanted
    async with browser.get(f"{app.origin}{PREFIX[:-1]}", headers=NAVIGATE, allow_redirects=False) as reply:
        assert (reply.status, reply.headers["Location"]) == (302, PREFIX)


@module_loop
async def test_only_the_applications_own_pages_may_do_something(
    app: App, browser: aiohttp.ClientSession
) -> None:
    foreign = [
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-site", "Referer": app.url},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Referer": f"{app.origin}/user/bob/"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {},
    ]
    for headers in foreign:
        async with browser.post(f"{app.url}do", headers=headers, data={"a": "1"}) as reply:
            assert reply.status == 403, headers
    async with browser.post(
        f"{app.url}do", headers={**app.page, "Origin": app.origin}, data={"a": "1"}
    ) as reply:
        assert (reply.status, (await reply.json())["body"]) == (200, "a=1")
    async with browser.get(f"{app.url}do", headers=foreign[2]) as reply:
        assert reply.status == 403, "a script of another user's page reads nothing"
    assert (await get_json(browser, f"{app.url}do", headers=app.page))["method"] == "GET"


@module_loop
async def test_bodies_pass_whole_in_both_directions(app: App, browser: aiohttp.ClientSession) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"y" * 100_000

    headers = {**app.page, "Origin": app.origin}
    async with browser.post(f"{app.url}up", headers=headers, data=chunks()) as reply:
        assert len((await reply.json())["body"]) == 5_000_000
    async with browser.post(
        f"{app.url}up", headers={**headers, "Expect": "100-continue"}, data=b"abc"
    ) as reply:
        assert (await reply.json())["body"] == "abc"
    async with browser.get(f"{app.url}answer?size=5000000", headers=app.page) as reply:
        assert len(await reply.read()) == 5_000_000
    for status in (204, 304, 404, 500):
        async with browser.get(f"{app.url}answer?status={status}", headers=app.page) as reply:
            assert reply.status == status
    async with browser.head(f"{app.url}answer?size=10", headers=app.page) as reply:
        assert (reply.headers["Content-Length"], await reply.read()) == ("10", b"")


@module_loop
async def test_an_answer_streams_while_it_is_made(app: App, browser: aiohttp.ClientSession) -> None:
    async with browser.get(f"{app.url}stream", headers=app.page) as reply:
        assert await asyncio.wait_for(reply.content.readline(), 10) == b"event 0\n"
        async with browser.get(f"{app.url}go-on", headers=app.page) as other:
            assert other.status == 200
        assert await asyncio.wait_for(reply.content.readline(), 10) == b"event 1\n"


@module_loop
async def test_websockets_echo_and_are_as_guarded_as_pages(app: App, browser: aiohttp.ClientSession) -> None:
    own = {"Origin": app.origin}
    async with browser.ws_connect(f"{app.url}ws", headers=own, compress=15) as channel:
        await channel.send_str("hello")
        assert (await channel.receive(10)).data == "echo hello"
        await channel.send_bytes(b"\0" * 1_000_000)
        assert len((await channel.receive(10)).data) == 1_000_000
    async with aiohttp.ClientSession() as stranger:
        for client, headers in ((stranger, own), (browser, {"Origin": "https://evil.example"})):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{app.url}ws", headers=headers)
            assert refused.value.status == 403
        async with stranger.ws_connect(f"{app.url}ws?token=token-of-carol") as channel:
            await channel.send_str("x")
            assert (await channel.receive(10)).data == "echo x"


@module_loop
async def test_what_an_application_answers_cannot_reach_beyond_it(
    app: App, browser: aiohttp.ClientSession
) -> None:
    asked = [
        "Set-Cookie: jupyterhub-hub-login=tossed; Path=/hub/",
        "Set-Cookie: mine=1; Path=/; Domain=127.0.0.1",
        "Clear-Site-Data: \"*\"",
        "Service-Worker-Allowed: /",
        "Location: //evil.example/",
    ]  # fmt: skip
    params = [("h", each) for each in asked] + [("status", "302")]
    async with browser.get(
        f"{app.url}answer", params=params, headers=app.page, allow_redirects=False
    ) as reply:
        assert reply.headers.getall("Set-Cookie") == [f"mine=1; Path={PREFIX}"]
        assert "Clear-Site-Data" not in reply.headers
        assert "Service-Worker-Allowed" not in reply.headers
        assert reply.headers["Location"] == f"{PREFIX}evil.example/"
        assert reply.headers["Content-Security-Policy"] == "frame-ancestors 'self'"


SMUGGLED = [
    b"POST {p}x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST {p}x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"POST {p}x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST {p}x HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
    b"GET {p}x HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
    b"GET {p}x HTTP/1.1\r\nHost: h\r\n X-Forwarded-User: root\r\n\r\n",
    b"GET {p}x HTTP/1.1\r\nHost: h\r\nX-Forwarded-User : root\r\n\r\n",
    b"GET {p}x HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n",
    b"GET {p}x HTTP/1.1\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"TRACE {p}hello HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET {p}x\x01y HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET " + b"x" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
]


@module_loop
@pytest.mark.parametrize("number", range(len(SMUGGLED)))
async def test_requests_that_are_none_are_refused_at_the_door(app: App, number: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    allowed = b"\r\nAuthorization: token token-of-alice\r\n\r\n"
    raw = SMUGGLED[number].replace(b"{p}", PREFIX.encode()).replace(b"\r\n\r\n", allowed, 1)
    writer.write(raw + b"GET %shello HTTP/1.1\r\nHost: h\r\n\r\n" % PREFIX.encode())
    writer.write_eof()
    answer = b""
    # Who is refused before all was read may find the connection reset instead of closed.
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while chunk := await reader.read(65536):
                answer += chunk
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer
    assert answer.count(b"HTTP/1.1 ") <= 1


@module_loop
async def test_activity_is_told_to_the_hub(app: App, hub: FakeHub, browser: aiohttp.ClientSession) -> None:
    before = hub.activity[-1]["last_activity"] if hub.activity else ""
    deadline = time.monotonic() + 20
    while not hub.activity or hub.activity[-1]["last_activity"] <= before:
        await get_json(browser, f"{app.url}hello", headers=NAVIGATE)
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
