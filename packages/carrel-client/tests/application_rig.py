"""`carrel-app` as a process of its own, and browsers of its visitors."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from singleuser_fakehub import FakeHub
from singleuser_process import PREFIX, bare_environment, hub_environment
from yarl import URL

from tests.rigs.systems import free_port

APP = [sys.executable, str(Path(__file__).with_name("application_app.py"))]
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


class App:
    """One `carrel-app` as its own process, and a browser."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.url = f"{self.origin}{PREFIX}"
        self.page = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Referer": self.url}
        """What a script of the application's own pages sends."""
        self.log_file = log

    @classmethod
    async def start(cls, hub: FakeHub, home: Path, *words: str, **more: str) -> App:
        port, log = free_port(), home / "app.log"
        hub.public_server = f"http://127.0.0.1:{port}"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "carrel_client.application",
                *words,
                env={**bare_environment(), "HOME": str(home), **hub_environment(hub, port, **more)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process, port, log)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    async def until_served(self) -> None:
        deadline = time.monotonic() + 30
        async with aiohttp.ClientSession() as session:
            while True:
                assert self.process.returncode is None, self.log
                assert time.monotonic() < deadline, self.log
                try:
                    # As a hub looks: once for each connection.
                    closing = {"Connection": "close"}
                    async with session.get(f"{self.url}api", allow_redirects=False, headers=closing) as reply:
                        if reply.status == 302:
                            assert reply.headers["X-JupyterHub-Version"] == "6.1.1"
                            return
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)


async def logged_in(app: App) -> aiohttp.ClientSession:
    browser = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with browser.get(f"{app.url}hello", headers=NAVIGATE) as reply:
        assert reply.status == 200, await reply.text()
        assert str(reply.url) == f"{app.url}hello"
    return browser


def raw(url: str) -> URL:
    """Return an address that is sent as it stands."""
    return URL(url, encoded=True)


async def get_json(browser: aiohttp.ClientSession, url: str | URL, **more: Any) -> dict[str, Any]:
    async with browser.get(url, **more) as reply:
        assert reply.status == 200, await reply.text()
        return dict(await reply.json())
