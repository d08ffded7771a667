"""configurable-http-proxy and carrel-proxy, run side by side."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.dataplane.harness import TOKEN, Answer, Proxy, proxy, until
from tests.rigs.needs import need
from tests.rigs.systems import CHP, free_port

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n"
)


async def moves(one: Proxy, act: Callable[[Proxy], Awaitable[object]]) -> bool:
    """Tell whether something counts as activity of the route /u."""
    before = await one.activity("/u")
    await act(one)
    return await one.activity("/u") != before


@dataclass
class Pair:
    """Both proxies, with the same flags: each call is made with one and then with the other."""

    theirs: Proxy
    ours: Proxy

    async def api(
        self, method: str, path: str, body: object = None, authorization: str | None = f"token {TOKEN}"
    ) -> tuple[Answer, Answer]:
        first = await self.theirs.api(method, path, body, authorization)
        return first, await self.ours.api(method, path, body, authorization)

    async def ask(self, raw: bytes) -> tuple[Answer, Answer]:
        return await self.theirs.ask(raw), await self.ours.ask(raw)

    async def get(self, path: str, *headers: str) -> tuple[Answer, Answer]:
        return await self.theirs.get(path, *headers), await self.ours.get(path, *headers)

    async def route(self, spec: str, target: str) -> None:
        await self.theirs.route(spec, target)
        await self.ours.route(spec, target)

    async def moves(self, act: Callable[[Proxy], Awaitable[object]]) -> tuple[bool, bool]:
        """Tell of each what `moves` tells."""
        return await moves(self.theirs, act), await moves(self.ours, act)


@contextlib.asynccontextmanager
async def chp(*flags: str) -> AsyncIterator[Proxy]:
    """Run configurable-http-proxy."""
    need(CHP.exists(), "configurable-http-proxy, which npm installs,")
    port, api = free_port(), free_port()
    place = ("--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api))
    process = await asyncio.create_subprocess_exec(
        *(str(CHP), *place, "--log-level", "error", *flags),
        env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN},
    )
    try:
        await until(lambda: _is_open(port) and _is_open(api), "configurable-http-proxy listens", 30)
        running = Proxy(process, port, api)
        yield running
        for wire in running.wires:
            wire.close()
    finally:
        process.kill()
        await process.wait()


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.asynccontextmanager
async def both(directory: Path, *flags: str, ours: tuple[str, ...] = ()) -> AsyncIterator[Pair]:
    """Run both; `ours` are flags for carrel-proxy alone."""
    async with chp(*flags) as theirs, proxy(directory, *flags, *ours) as own:
        yield Pair(theirs, own)
