"""What is measured of one running proxy over websockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import uvloop

from bench.proxy.loads import CONNECTIONS, Amounts
from bench.proxy.running import PATIENCE, Failed, Running

_UPGRADE = (
    "GET /user/user-{user}/api/kernels/echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
#: A masked text frame of 28 bytes.
_FRAME = b"\x81\x9c" + b"mask" + bytes(28)
#: How many connections are opened at once.
_BATCH = 100


class Client(asyncio.Protocol):
    """A browser's end of a websocket that sends the next frame when the last has come back."""

    def __init__(self, hello: bytes) -> None:
        self._hello = hello
        self._head = b""
        self._come = self._left = 0
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        """Count what has come back."""
        if not self._left:
            self._answered(data)
            return
        self._come += len(data)
        if self._come >= len(_FRAME):
            self._come -= len(_FRAME)
            self._left -= 1
            if self._left:
                self.transport.write(_FRAME)
            else:
                self._settled.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is waited for."""
        if not self._settled.done():
            self._settled.set_exception(Failed(f"a websocket was closed: {exc or 'by the proxy'}"))

    async def upgraded(self) -> None:
        """Return when the upgrade is through; raises Failed."""
        await self._settled

    async def echo(self, round_trips: int) -> None:
        """Return after that many round trips; raises Failed."""
        self._settled = asyncio.get_running_loop().create_future()
        self._left = round_trips
        self.transport.write(_FRAME)
        await self._settled

    def _answered(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n") and not self._settled.done():
            if self._head.startswith(b"HTTP/1.1 101 "):
                self._settled.set_result(None)
            else:
                self._settled.set_exception(Failed(f"upgrade: {self._head[:80]!r}"))


def websocket(proxy: Running, amounts: Amounts) -> float:
    """Return CPU seconds for one round trip of a small frame, over open websockets."""
    return round_trips(proxy, amounts.round_trips)


def round_trips(proxy: Running, count: int) -> float:
    """Return CPU seconds for one round trip, over about `count` of them; raises Failed."""
    each = count // CONNECTIONS

    async def run() -> float:
        async with asyncio.timeout(PATIENCE), _websockets(proxy, CONNECTIONS) as clients:
            before = proxy.cpu_seconds()
            await asyncio.gather(*(client.echo(each) for client in clients))
            return (proxy.cpu_seconds() - before) / (each * CONNECTIONS)

    return uvloop.run(run())


def memory(proxy: Running, amounts: Amounts) -> float:
    """Return the proxy's proportional set size in bytes while it holds idle websockets."""

    async def run() -> float:
        async with asyncio.timeout(PATIENCE), _websockets(proxy, amounts.idle_websockets):
            return float(proxy.pss())

    return uvloop.run(run())


@contextlib.asynccontextmanager
async def _websockets(proxy: Running, count: int) -> AsyncIterator[list[Client]]:
    """Open websockets of users all over the table, yield them once each is upgraded, close them."""
    loop, port = asyncio.get_running_loop(), proxy.setup.port
    clients: list[Client] = []

    async def open_one(number: int) -> None:
        user = number * proxy.setup.users // count
        hello = _UPGRADE.format(user=user, port=port).encode()
        _, client = await loop.create_connection(lambda: Client(hello), "127.0.0.1", port, ssl=proxy.trust)
        clients.append(client)
        await client.upgraded()

    try:
        for start in range(0, count, _BATCH):
            await asyncio.gather(*map(open_one, range(start, min(start + _BATCH, count))))
        yield clients
    finally:
        for client in clients:
            client.transport.abort()
