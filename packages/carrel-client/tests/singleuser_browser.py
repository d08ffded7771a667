"""What the tests do with a browser at a user's server."""

from __future__ import annotations

import asyncio
import json
import uuid
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
from singleuser_process import SingleUserProcess
from yarl import URL

Browser = aiohttp.ClientSession
KERNELS = "api/kernels"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def cookies_of(reply: aiohttp.ClientResponse) -> SimpleCookie:
    return reply.cookies


async def log_in(browser: Browser, server: SingleUserProcess, page: str = "lab") -> str:
    """Return the page's text after a log-in through the hub."""
    async with browser.get(f"{server.url}{page}") as reply:
        assert reply.status == 200, await reply.text()
        assert str(reply.url).split("?")[0] == f"{server.url}{page}"
        return await reply.text()


def xsrf(browser: Browser, server: SingleUserProcess) -> dict[str, str]:
    cookies = browser.cookie_jar.filter_cookies(URL(server.url))
    return {"X-XSRFToken": cookies["_xsrf"].value}


async def refusal(browser: Browser, url: str, **options: Any) -> tuple[int, str]:
    async with browser.get(url, allow_redirects=False, **options) as reply:
        return reply.status, await reply.text()


async def websocket_status(browser: Browser, url: str, **options: Any) -> int:
    """Return the status with which a websocket is refused, 101 when it opens."""
    try:
        async with browser.ws_connect(url, **options):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def start_kernel(browser: Browser, server: SingleUserProcess, headers: dict[str, str]) -> str:
    async with browser.post(f"{server.url}{KERNELS}", json={"name": "python3"}, headers=headers) as reply:
        assert reply.status == 201, await reply.text()
        return str((await reply.json())["id"])


async def execute(channel: aiohttp.ClientWebSocketResponse, code: str) -> str:
    """Return what `code` evaluates to in the kernel behind `channel`."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "s"}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
    common = {"parent_header": {}, "metadata": {}, "buffers": [], "channel": "shell"}
    await channel.send_json({"header": header | {"version": "5.3"}, "content": content, **common})
    async with asyncio.timeout(30):
        async for frame in channel:
            message = json.loads(frame.data)
            parent = message["parent_header"].get("msg_id")
            if message["msg_type"] == "execute_result" and parent == header["msg_id"]:
                return str(message["content"]["data"]["text/plain"])
    raise AssertionError("the kernel's websocket closed")
