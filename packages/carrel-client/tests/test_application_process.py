"""`carrel-app` and its application: other places, slow and broken ones, their end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from application_rig import APP, NAVIGATE, App, get_json, logged_in, raw
from singleuser_fakehub import FakeHub
from singleuser_process import PREFIX

from carrel_client.application.backend import is_foreign

pytestmark = pytest.mark.real


@pytest.mark.parametrize("words", [["--unix", "--strip-prefix"], ["--strip-prefix"]])
async def test_an_application_at_the_top_of_its_host(tmp_path: Path, words: list[str]) -> None:
    hub = FakeHub()
    await hub.start()
    where = "{socket}" if "--unix" in words else "{port}"
    app = await App.start(
        hub, tmp_path, *words, "--identity-header", "X-Who", "--pass-token", "--", *APP, where, "/"
    )
    try:
        await app.until_served()
        async with await logged_in(app) as browser:
            seen = await get_json(browser, raw(f"{app.url}a//b?c"), headers=NAVIGATE)
            assert seen["path"] == "/a//b?c"
            assert seen["token"]
            headers = dict(seen["headers"])
            assert (headers["X-Who"], headers["X-Forwarded-Prefix"]) == ("alice", PREFIX[:-1])
            params = {"h": "Location: /sub", "status": "302"}
            async with browser.get(
                f"{app.url}answer", params=params, headers=app.page, allow_redirects=False
            ) as reply:
                assert reply.headers["Location"] == f"{PREFIX}sub"
            async with browser.ws_connect(f"{app.url}ws", headers={"Origin": app.origin}) as channel:
                await channel.send_str("x")
                assert (await channel.receive(10)).data == "echo x"
            with contextlib.suppress(aiohttp.ClientError):
                await browser.get(f"{app.url}end", headers=app.page)
        assert await asyncio.wait_for(app.process.wait(), 20) == 7, "it ends with its application"
    finally:
        await app.stop(signal.SIGKILL)
        await hub.stop()


AGREES = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_CONNECT(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    log_message = print
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


async def test_a_visitor_cannot_make_a_tunnel_of_a_connection(tmp_path: Path) -> None:
    # An application that agrees to one ends the conversation in HTTP, and nobody could be served any more.
    hub = FakeHub()
    await hub.start()
    app = await App.start(hub, tmp_path, "--", sys.executable, "-c", AGREES, "{port}")
    try:
        await app.until_served()
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        head = f"CONNECT {PREFIX}x HTTP/1.1\r\nHost: h\r\nAuthorization: token token-of-alice\r\n\r\n"
        writer.write(head.encode())
        try:
            assert (await asyncio.wait_for(reader.readline(), 20)).startswith(b"HTTP/1.1 400 ")
        finally:
            writer.close()
            await writer.wait_closed()
        await app.until_served()
    finally:
        # All of its session: a server that is stuck would hear no other signal.
        os.killpg(app.process.pid, signal.SIGKILL)
        await app.process.wait()
        await hub.stop()


async def test_a_slow_application_has_a_page_meanwhile_and_a_stop_ends_it(tmp_path: Path) -> None:
    hub = FakeHub()
    await hub.start()
    there = tmp_path / "there"
    app = await App.start(hub, tmp_path, "--patience", "0", "--", *APP, "{port}", "{base_url}", str(there))
    try:
        await app.until_served()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(app.url, headers=NAVIGATE) as reply:
                assert (reply.status, "is starting" in await reply.text()) == (503, True)
            there.touch()
            deadline, status = time.monotonic() + 20, 503
            while status == 503:
                assert time.monotonic() < deadline, app.log
                async with browser.get(app.url, headers=NAVIGATE) as reply:
                    status = reply.status
                await asyncio.sleep(0.05)
            assert status == 200
        children = Path(f"/proc/{app.process.pid}/task/{app.process.pid}/children").read_text().split()
        assert await app.stop(signal.SIGINT) == 0
        assert children
        assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    finally:
        await app.stop(signal.SIGKILL)
        await hub.stop()


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["sh", "-c", "echo no licence >&2; exit 3"], 3, "no licence"),
        (["/no/such/program"], 1, "carrel-app: The application cannot be served"),
    ],
)
async def test_a_command_that_fails_at_once_is_never_served(
    tmp_path: Path, command: list[str], status: int, said: str
) -> None:
    app = await App.start(FakeHub(port=1), tmp_path, "--", *command)
    assert await asyncio.wait_for(app.process.wait(), 20) == status
    assert said in app.log
    assert "Traceback" not in app.log
    assert "Serving" not in app.log


def test_a_port_that_another_account_has_taken_is_not_the_applications(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert not is_foreign(port)
        lines = Path("/proc/net/tcp").read_text().splitlines()
        own = next(line for line in lines if f"0100007F:{port:04X}" in line)
        fields = own.split()
        fields[7] = str(os.geteuid() + 1)
        (tmp_path / "tcp").write_text(f"{lines[0]}\n  {' '.join(fields)}\n")
        assert is_foreign(port, tmp_path)
