"""HAProxy and Traefik behind their drivers, and servers for them to forward to."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from carrel.proxy.haproxy import HAProxyProxy
from carrel.proxy.traefik import TraefikProxy
from tests.rigs.needs import need
from tests.rigs.systems import free_port


def need_haproxy() -> None:
    """Skip where there is no HAProxy."""
    need(shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/bin"), "HAProxy")


def driver(directory: Path, port: int, **values: Any) -> HAProxyProxy:
    """Return a driver as the hub would make it."""
    fixed = {
        "ip": "127.0.0.1",
        "port": port,
        "directory": str(directory),
        "public_url": f"http://127.0.0.1:{port}/",
        "hub_url": "http://127.0.0.1:9",
    }
    return HAProxyProxy(**fixed | values)


def traefik_program() -> str:
    """Return the path of Traefik, of this environment or of the system; skip where there is none."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("traefik", path=f"{beside}:{os.environ.get('PATH', '')}")
    need(found, "Traefik")
    return str(found)


def traefik_driver(directory: Path, ports: tuple[int, int], **values: Any) -> TraefikProxy:
    """Return a driver as the hub would make it."""
    public, control = ports
    fixed = {
        "ip": "127.0.0.1",
        "port": public,
        "control_address": f"127.0.0.1:{control}",
        "directory": str(directory),
        "command": traefik_program(),
        "public_url": f"http://127.0.0.1:{public}/",
        "hub_url": "http://127.0.0.1:9",
    }
    return TraefikProxy(**fixed | values)


@asynccontextmanager
async def running_traefik(directory: Path, **values: Any) -> AsyncIterator[TraefikProxy]:
    """Run the block with a Traefik, and end whichever there is then."""
    proxy = traefik_driver(directory, (free_port(), free_port()), **values)
    assert await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        await proxy.close()


def certificate_in(directory: Path) -> tuple[Path, Path]:
    """Return a file with a certificate for localhost and its key, and one with the certificate alone."""
    need(shutil.which("openssl"), "openssl")
    key, certificate, both = (directory / name for name in ("key.pem", "certificate.pem", "tls.pem"))
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*new, *name, *files], check=True, capture_output=True)
    both.write_text(certificate.read_text() + key.read_text())
    return both, certificate


@asynccontextmanager
async def running(directory: Path, **values: Any) -> AsyncIterator[HAProxyProxy]:
    """Run the block with an HAProxy, and end whichever there is then."""
    need_haproxy()
    proxy = driver(directory, free_port(), **values)
    assert await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        await proxy.close()


@asynccontextmanager
async def upstream(name: str) -> AsyncIterator[str]:
    """Serve `NAME PATH` with the status that the query asks for, and echo websockets; yield the URL."""

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if "upgrade" in request.headers.get("Connection", "").lower():
            return None
        path, _, status = request.path.partition("?")
        page = connection.respond(int(status or 200), f"{name} {path}")
        page.headers["X-Seen"] = quote(str(dict(request.headers.raw_items())))
        return page

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, process_request=answer, ping_interval=None) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def fetch(proxy: HAProxyProxy | TraefikProxy, path: str, *lines: str) -> tuple[int, str]:
    """Return status and the whole answer to a GET of exactly this path."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        head = "".join(f"{line}\r\n" for line in ("Host: hub.example", "Connection: close", *lines))
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = (await reader.read()).decode()
    finally:
        writer.close()
    return int(answer.split()[1]), answer


async def served(proxy: HAProxyProxy | TraefikProxy, path: str) -> str:
    """Return the body of an answer, or its status when it is no 200."""
    status, answer = await fetch(proxy, path)
    return answer.partition("\r\n\r\n")[2] if status == 200 else str(status)
