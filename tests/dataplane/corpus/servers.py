"""The real servers behind the proxy: each notes every request that its own parser finds."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.dataplane.harness import DEADLINE, until
from tests.rigs.systems import free_port

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
_NGINX_CONFIG = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
  log_format noted escape=json '{{"method":"$request_method","path":"$request_uri","status":$status}}';
  access_log {directory}/noted noted;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  keepalive_requests 100000; lingering_timeout 1s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{inner}; }}
  }}
  server {{
    listen 127.0.0.1:{inner};
    access_log off;
    location / {{ add_header X-Echo $request_uri always; return 200 "$uri"; }}
  }}
}}
"""


class Noted(msgspec.Struct):
    """A request as the server's parser saw it; nginx tells no body, and says 400 to what it cannot read."""

    method: str
    path: str
    status: int = 200
    body: str | None = None


@dataclass
class Server:
    """A running server."""

    port: int
    notes: Path

    def noted(self) -> list[Noted]:
        """Return every request that it saw, in order."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [msgspec.json.decode(line, type=Noted) for line in lines]


@contextlib.asynccontextmanager
async def uvicorn(directory: Path, parser: str) -> AsyncIterator[Server]:
    """Run uvicorn with one of its parsers."""
    notes = directory / "noted"
    listener = socket.create_server(("127.0.0.1", 0))
    listener.set_inheritable(True)
    command = [
        sys.executable,
        "-m",
        "tests.dataplane.corpus.notes",
        parser,
        str(listener.fileno()),
        str(notes),
    ]
    async with _running(command, Server(listener.getsockname()[1], notes), listener.fileno()) as server:
        listener.close()
        yield server


@contextlib.asynccontextmanager
async def nginx(directory: Path) -> AsyncIterator[Server]:
    """Run nginx, which must be installed; it forwards to itself, because only then it reads bodies first."""
    port, inner = free_port(), free_port()
    config = directory / "nginx.conf"
    config.write_text(_NGINX_CONFIG.format(directory=directory, port=port, inner=inner))
    command = [str(NGINX), "-c", str(config), "-e", str(directory / "error.log")]
    async with _running(command, Server(port, directory / "noted")) as server:
        yield server


@contextlib.asynccontextmanager
async def _running(command: list[str], server: Server, *descriptors: int) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors)
    try:
        await until(lambda: process.returncode is not None or _answers(server.port), "the server listens")
        assert process.returncode is None
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), DEADLINE)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
