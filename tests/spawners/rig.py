"""Drivers over a stub server, for whichever account the machine lets a test use."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from traitlets.config import Config

from carrel.spawners.base import Spawner
from carrel.spawners.run import Run, make_spawner
from carrel.spawners.views import HubView, UserView
from carrel.spawners.warm import WarmStarts

S = TypeVar("S", bound=Spawner)
STUB = Path(__file__).with_name("stub_server.py")
WARM_COMMAND = "stub-server"
_DEADLINE = 20.0


def hub_view(**changes: Any) -> HubView:
    return HubView(
        **({"api_url": "http://127.0.0.1:8081/hub/api", "hub_id": f"test-{os.getpid()}"} | changes)
    )


def user_view(name: str = "alice", **changes: Any) -> UserView:
    facts: dict[str, Any] = {"id": 1, "name": name, "base_url": "/"}
    return UserView(**(facts | changes))


def run_of(name: str = "alice", **changes: Any) -> Run:
    """A run of server 7, generation 2."""
    facts: dict[str, Any] = {
        "user": user_view(name),
        "hub": hub_view(),
        "server_id": 7,
        "generation": 2,
        "api_token": "a-token",
        "oauth_client_id": "jupyterhub-user-alice",
        "oauth_access_scopes": ["access:servers!server=alice/"],
    }
    return Run(**(facts | changes))


@dataclass
class Rig:
    """A place for logs and a command that the account can run."""

    account: str
    place: Path
    """Readable by everybody."""
    logs: Path

    def command(self, mode: str = "serve") -> list[str]:
        script = self.place / STUB.name
        if not script.exists():
            shutil.copy(STUB, script)
            script.chmod(0o644)
        return [usable_python(), "-S", str(script), mode]

    def script(self, interpreter: str = "") -> str:
        """Return the path of the same server as a console script."""
        path = self.place / WARM_COMMAND
        path.write_text(f"#!{interpreter or usable_python()}\n{STUB.read_text()}")
        path.chmod(0o755)
        return str(path)

    def spawner(
        self,
        cls: type[S],
        mode: str = "serve",
        state: Mapping[str, Any] | None = None,
        warm_starts: WarmStarts | None = None,
        **settings: Any,
    ) -> S:
        config = Config()
        config.Spawner.cmd = self.command(mode)
        for name, value in settings.items():
            config.Spawner[name] = value
        if warm_starts is not None:
            config.LocalProcessSpawner.warm_start_commands = [WARM_COMMAND]
        hub = hub_view(warm_starts=warm_starts)
        run = run_of(self.account, state=state or {}, log_directory=str(self.logs), hub=hub)
        return make_spawner(cls, run, config)


def usable_python() -> str:
    """Return an interpreter that every account may run."""
    own = Path(os.path.realpath(sys.executable))
    reachable = all(parent.stat().st_mode & 0o001 for parent in own.parents)
    return str(own) if reachable else "/usr/bin/python3"


def own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def sleeper() -> subprocess.Popen[bytes]:
    """A process that no driver has started."""
    return subprocess.Popen(["sleep", "60"])


async def report_of(driver: Spawner) -> dict[str, Any]:
    """Return what the stub says of itself, as soon as it answers."""
    url = f"http://{driver.server.ip}:{driver.server.port}/"
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            body = await asyncio.to_thread(_fetch, url)
        except OSError:
            assert time.monotonic() < deadline, await driver.logs()
            await asyncio.sleep(0.02)
        else:
            return dict(json.loads(body))


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return bytes(reply.read())
