"""Runs `carrel-singleuser` as its own process, as a hub does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
from singleuser_fakehub import ACCESS, CALLBACK, CLIENT_ID, SERVER_TOKEN, FakeHub

import carrel_client
from tests.rigs.systems import free_port

PREFIX = "/user/alice/"


def hub_environment(hub: FakeHub, port: int, **more: str) -> dict[str, str]:
    """Return what a hub gives a server of alice's that listens on `port`."""
    return {
        "JUPYTERHUB_API_TOKEN": SERVER_TOKEN,
        "JUPYTERHUB_CLIENT_ID": CLIENT_ID,
        "JUPYTERHUB_HOST": hub.url,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": CALLBACK,
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(ACCESS),
        "JUPYTERHUB_USER": "alice",
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_API_URL": f"{hub.url}/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": f"{hub.url}/hub/api/users/alice/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}{PREFIX}",
        **more,
    }


def bare_environment() -> dict[str, str]:
    """Return what a process needs to run this package's code and nothing more."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(carrel_client.__file__).parents[1])}


class SingleUserProcess:
    """One server process; its output is kept for messages and assertions."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}{PREFIX}"
        self.origin = f"http://127.0.0.1:{port}"
        self._log = log

    @classmethod
    async def start(cls, hub: FakeHub, home: Path, **more: str) -> SingleUserProcess:
        """Start a server of `hub` in `home`; `more` adds to its environment."""
        port = free_port()
        hub.public_server = f"http://127.0.0.1:{port}"
        log = home / "server.log"
        options = ["--allow-root"] if os.geteuid() == 0 else []
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "carrel_client.singleuser",
                *options,
                env={**bare_environment(), "HOME": str(home), **hub_environment(hub, port, **more)},
                cwd=home,
                stdout=output,
                stderr=output,
            )
        return cls(process, port, log)

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def until_ready(self, seconds: float = 40.0) -> None:
        """Return when the server answers; fail with its log when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession() as session:
            while True:
                assert self.process.returncode is None, self.log
                assert time.monotonic() < deadline, self.log
                try:
                    async with session.get(f"{self.url}api") as reply:
                        assert reply.status == 200
                        return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)

    async def until_logged(self, text: str, seconds: float = 30.0) -> None:
        """Return when the server has logged `text`; fail with its log when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while text not in self.log:
            assert self.process.returncode is None, self.log
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.05)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask the server to stop and return its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 20)
