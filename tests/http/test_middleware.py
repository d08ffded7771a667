"""What every reply carries and no request gets past."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from carrel.http.middleware import HubMiddleware
from tests.http.hub import HOST, Browser, open_hub


@pytest.mark.parametrize(
    "path", ["/hub/login", "/hub/api/", "/hub/nothing", "/hub/api/nothing", "/hub/logo", "/x"]
)
async def test_every_reply_carries_the_common_headers(tmp_path: Path, path: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        headers = (await browser.get(path)).headers
        assert headers["x-jupyterhub-version"] == "6.1.1"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert len(headers["x-request-id"]) == 12


async def test_the_api_and_the_pages_have_their_policies(tmp_path: Path) -> None:
    async with open_hub(tmp_path, base_url="/jh/") as hub, hub.browser() as browser:
        api = (await browser.get("/jh/hub/api/")).headers
        assert api["content-security-policy"] == (
            "frame-ancestors 'none'; report-uri /jh/hub/security/csp-report; default-src 'none'"
        )
        assert api["access-control-allow-headers"] == "accept, content-type, authorization"
        page = (await browser.get("/jh/hub/login")).headers
        assert "default-src 'self'; script-src 'self'; style-src 'self'" in page["content-security-policy"]
        assert "frame-ancestors 'none'" in page["content-security-policy"]
        assert "unsafe" not in page["content-security-policy"]
        assert page["cache-control"] == "no-store"


async def test_a_page_that_uses_the_nonce_may_run_its_script(tmp_path: Path) -> None:
    (tmp_path / "login.html").write_text(
        '{% extends "templates/login.html" %}'
        '{% block script %}<script nonce="{{ csp_nonce }}">1</script>{% endblock %}'
    )
    async with open_hub(tmp_path, template_paths=["."]) as hub, hub.browser() as browser:
        seen = set()
        for _ in range(2):
            reply = await browser.get("/hub/login")
            nonce = reply.text.partition('nonce="')[2].partition('"')[0]
            assert f"'nonce-{nonce}'" in reply.headers["content-security-policy"]
            seen.add(nonce)
        assert len(seen) == 2


async def test_head_is_get_without_a_body(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        for path in ("/hub/health", "/hub/api/health", "/hub/login"):
            reply = await browser.head(path)
            assert reply.status_code == 200
            assert reply.content == b""


async def test_options_of_the_api_is_empty(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        for path, status in (("/hub/api/users", 200), ("/hub/api/nothing", 404), ("/hub/login", 405)):
            reply = await browser.options(path)
            assert reply.status_code == status
        reply = await browser.options("/hub/api/users")
        assert reply.content == b""
        assert "access-control-allow-headers" in reply.headers


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 65536


@pytest.mark.parametrize("path", ["/hub/login", "/hub/api/users", "/user/ada/api/contents"])
async def test_a_large_body_is_refused_before_anybody_reads_it(tmp_path: Path, path: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        declared = await browser.post(path, content=b"x" * (1024 * 1024 + 1))
        assert declared.status_code == 413
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        streamed = await browser.post("/hub/login", content=chunks(17), headers=form)
        assert streamed.status_code == 413
        assert (await browser.post("/hub/login", content=chunks(2), headers=form)).status_code == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "proto", "client", "secure"),
    [
        ("127.0.0.1", "192.0.2.7", "https", "192.0.2.7", True),
        ("::1", "2001:db8::7", "https,http", "2001:db8::7", True),
        ("127.0.0.1", "6.6.6.6, 192.0.2.7", "http", "192.0.2.7", False),
        ("127.0.0.1", "192.0.2.7, 127.0.0.1", "", "192.0.2.7", False),
        ("127.0.0.1", "", "", "127.0.0.1", False),
        ("127.0.0.1", "192.0.2.7", "javascript", "192.0.2.7", False),
        ("192.0.2.9", "10.0.0.1", "https", "192.0.2.9", False),
    ],
)
async def test_only_our_proxy_says_for_whom_it_asks(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    peer: str,
    forwarded: str,
    proto: str,
    client: str,
    secure: bool,
) -> None:
    async with open_hub(tmp_path) as hub:
        transport = httpx.ASGITransport(app=hub.app, client=(peer, 1))
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": proto}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
            with caplog.at_level(logging.INFO, "carrel.access"):
                reply = await browser.get("/hub/login", headers={k: v for k, v in headers.items() if v})
    assert f"(@{client})" in caplog.text
    assert ("Secure" in reply.headers["set-cookie"]) is secure


@pytest.mark.parametrize(
    ("peer", "forwarded", "client", "secure"),
    [
        ("10.1.2.3", "192.0.2.7", "192.0.2.7", True),
        ("::ffff:10.1.2.3", "192.0.2.7", "192.0.2.7", True),
        ("127.0.0.1", "6.6.6.6, 192.0.2.7, 10.9.9.9", "192.0.2.7", True),
        ("127.0.0.1", "6.6.6.6, 203.0.113.5", "6.6.6.6", True),
        ("127.0.0.1", "6.6.6.6, 203.0.113.6", "203.0.113.6", True),
        ("11.1.2.3", "192.0.2.7", "11.1.2.3", False),
    ],
)
async def test_proxies_elsewhere_are_believed_when_they_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, peer: str, forwarded: str, client: str, secure: bool
) -> None:
    async with open_hub(tmp_path, trusted_downstream_ips=["10.0.0.0/8", "203.0.113.5"]) as hub:
        transport = httpx.ASGITransport(app=hub.app, client=(peer, 1))
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
            with caplog.at_level(logging.INFO, "carrel.access"):
                reply = await browser.get("/hub/login", headers=headers)
    assert f"(@{client})" in caplog.text
    assert ("Secure" in reply.headers["set-cookie"]) is secure


@pytest.mark.parametrize(
    ("peer", "told", "accepted"),
    [
        ("127.0.0.1", "hub.example.org", True),
        ("127.0.0.1", "hub.example.org, inner", True),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "hub.example.org/x", False),
        ("192.0.2.9", "hub.example.org", False),
    ],
)
async def test_the_public_host_is_taken_from_the_header_that_is_named(
    tmp_path: Path, peer: str, told: str, accepted: bool
) -> None:
    async with open_hub(tmp_path, forwarded_host_header="X-Forwarded-Host") as hub:
        transport = httpx.ASGITransport(app=hub.app, client=(peer, 1))
        headers = {"X-Forwarded-Host": told, "Origin": "http://hub.example.org"}
        async with Browser(transport=transport, base_url=f"http://{HOST}", headers=headers) as browser:
            reply = await browser.log_in()
    assert reply.status_code == (302 if accepted else 403)


async def test_the_log_names_the_user_and_keeps_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        with caplog.at_level(logging.INFO, "carrel.access"):
            await browser.get("/hub/home?token=canary&code=canary&x=1")
            await browser.get("/hub/api/user", headers={"Authorization": "token canary"})
            await browser.get("/hub/%0aforged%1b[31m?x=%0a&y=%7f")
    assert "(ada@127.0.0.1)" in caplog.text
    assert "canary" not in caplog.text
    for record in caplog.records:
        assert record.getMessage().isprintable()


async def test_a_flood_of_text_makes_one_short_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        with caplog.at_level(logging.INFO):
            fields = {"username": "x" * 100_000, "password": "p", "_xsrf": await browser.xsrf()}
            await browser.post("/hub/login", data=fields)
            await browser.get("/hub/" + "y" * 50_000)
    assert all(
        len(record.getMessage()) < 1000 for record in caplog.records if record.name.startswith("carrel")
    )


async def test_a_request_that_fails_is_logged_with_its_status(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        with caplog.at_level(logging.INFO, "carrel.access"):
            await browser.get("/hub/nothing")
    assert "404 GET /hub/nothing (@127.0.0.1)" in caplog.text


@pytest.mark.parametrize("begun", [False, True])
async def test_what_a_stopping_hub_breaks_off_is_answered(begun: bool) -> None:
    sent: list[dict[str, Any]] = []
    waiting = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"data: 1", "more_body": True})
        waiting.set()
        await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/hub/api/x", "raw_path": b"/hub/api/x"}
    scope |= {"query_string": b"", "headers": [], "client": ("127.0.0.1", 1), "scheme": "http"}
    task = asyncio.create_task(HubMiddleware(slow, "/")(scope, receive, send))
    await waiting.wait()
    task.cancel()
    await task
    assert sent[-1]["body" if begun else "type"] == (b"" if begun else "http.response.body")
    assert sent[0]["status"] == (200 if begun else 503)
    assert ((b"retry-after", b"2") in sent[0]["headers"]) is not begun
