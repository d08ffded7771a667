"""A running carrel-proxy, a small server behind it and raw sockets in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from carrel.dataplane.status_file import read_status
from tests.rigs import processes

TOKEN = "the-token"
#: How long anything is waited for: less than the limits that tests set lower last by default, except for
#: that of `--connect-timeout`.
DEADLINE = 30.0
#: How many processes forward where a test does not say; see `conftest`.
WORKERS = 1


async def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Return when `condition` holds; fail when it still does not after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > end
        if condition():
            return
        assert not is_last, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


@dataclass
class Answer:
    """A parsed answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.body, type=dict[str, object])


class Wire:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self) -> bytes:
        return await asyncio.wait_for(self.reader.readline(), DEADLINE)

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), DEADLINE)
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, value in pairs}

    async def answer(self, *, head_only: bool = False) -> Answer:
        status, headers = await self.head()
        if head_only or status in (204, 304) or status < 200:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, await self._chunks())
        if "content-length" in headers:
            size = int(headers["content-length"])
            return Answer(status, headers, await asyncio.wait_for(self.reader.readexactly(size), DEADLINE))
        return Answer(status, headers, await self.rest())

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(await self.line(), 16)
            body += (await self.reader.readexactly(size + 2))[:-2]
            if size == 0:
                return body

    async def rest(self) -> bytes:
        """Return everything up to the end of the connection, reset or not."""
        got = b""
        with contextlib.suppress(ConnectionError):
            while data := await asyncio.wait_for(self.reader.read(65536), DEADLINE):
                got += data
        return got

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class Seen:
    """A request as the server behind saw it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


@dataclass
class Backend:
    """A server that answers by path: /echo, /upgrade, or a canned answer given by a test."""

    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    canned: dict[str, bytes] = field(default_factory=dict)
    handlers: dict[str, Callable[[Wire, Seen], AsyncIterator[None]]] = field(default_factory=dict)
    port: int = 0
    streamed: int = 0
    #: Whose certificates were shown, by connection.
    subjects: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        shown = writer.get_extra_info("peercert") or {"subject": ()}
        self.subjects += [value for pair in shown["subject"] for name, value in pair if name == "commonName"]
        wire = Wire(reader, writer)
        try:
            while await self._one(wire):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _one(self, wire: Wire) -> bool:
        raw = await wire.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        seen = Seen(first, [(n, v) for n, _, v in (line.partition(": ") for line in lines)], b"")
        self.seen.append(seen)
        path = first.split()[1].partition("?")[0].rpartition("/")[2]
        if path == "continue":
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if path == "early":
            wire.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong")
            # As servers close with care: what is still sent is read, or the reset would overtake the answer.
            if wire.writer.can_write_eof():
                wire.writer.write_eof()
            await wire.reader.read()
            return False
        if path == "upgrade":
            return await self._upgrade(wire, seen)
        if path == "never":
            await wire.reader.read()
            return False
        if path == "slowsink":
            await self.gate.wait()
        seen.body = await self._body(wire, seen, keep=path != "slowsink")
        if path in self.canned:
            wire.send(self.canned[path])
            await wire.writer.drain()
            return b"content-length" in self.canned[path].lower()
        if path == "stream":
            return await self._stream(wire)
        echo = msgspec.json.encode({"line": first, "size": len(seen.body) or self.streamed})
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(echo))
        if not first.startswith("HEAD"):
            wire.send(echo)
        await wire.writer.drain()
        return True

    async def _body(self, wire: Wire, seen: Seen, *, keep: bool) -> bytes:
        if seen.all("transfer-encoding"):
            return await wire._chunks()
        left = int((seen.all("content-length") or ["0"])[0])
        body, self.streamed = b"", 0
        while left and (data := await wire.reader.read(min(left, 65536))):
            left -= len(data)
            self.streamed += len(data)
            body += data if keep else b""
        return body

    async def _stream(self, wire: Wire) -> bool:
        piece = bytes(range(256)) * 256
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1600 * len(piece)))
        for _ in range(1600):
            wire.send(piece)
            await wire.writer.drain()
            self.streamed += len(piece)
        return True

    async def _upgrade(self, wire: Wire, seen: Seen) -> bool:
        protocol = seen.one("upgrade")
        wire.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % protocol.encode())
        while data := await wire.reader.read(65536):
            if data == b"die":
                return False
            wire.send(data)
            await wire.writer.drain()
        return False


@contextlib.asynccontextmanager
async def backend(tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Backend]:
    """Run a server on a port, a free one by default."""
    behind = Backend()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(behind.accept(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=tls)
    behind.port = server.sockets[0].getsockname()[1]
    try:
        yield behind
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Proxy:
    """A running process."""

    process: asyncio.subprocess.Process
    port: int
    api_port: int
    wires: list[Wire] = field(default_factory=list)
    #: For a proxy that speaks TLS to browsers, and on its API.
    tls: ssl.SSLContext | None = None
    api_tls: ssl.SSLContext | None = None
    #: Where it listens instead of the port.
    socket: Path | None = None

    async def wire(self) -> Wire:
        """Return a new connection, which is closed with the proxy."""
        if self.socket is not None:
            wire = Wire(*await asyncio.open_unix_connection(self.socket, limit=2**20))
        else:
            wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**20, ssl=self.tls))
        self.wires.append(wire)
        return wire

    async def ask(self, raw: bytes, *, head_only: bool = False) -> Answer:
        """Send one request on a connection of its own and return its answer."""
        wire = await self.wire()
        try:
            wire.send(raw)
            return await wire.answer(head_only=head_only)
        finally:
            wire.close()

    async def get(self, path: str, *headers: str) -> Answer:
        return await self.ask("\r\n".join([f"GET {path} HTTP/1.1", "Host: h", *headers, "", ""]).encode())

    async def api(
        self,
        method: str,
        path: str,
        body: object = None,
        authorization: str | None = f"token {TOKEN}",
        change: str = "",
    ) -> Answer:
        data = body if isinstance(body, bytes) else (b"" if body is None else msgspec.json.encode(body))
        lines = [f"{method} {path} HTTP/1.1", "Host: api", f"Content-Length: {len(data)}"]
        if authorization is not None:
            lines.append(f"Authorization: {authorization}")
        if change:
            lines.append(f"Carrel-Change: {change}")
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.api_port, ssl=self.api_tls))
        try:
            wire.send("\r\n".join([*lines, "", ""]).encode() + data)
            return await wire.answer()
        finally:
            wire.close()

    async def route(self, spec: str, target: str, **data: object) -> None:
        answer = await self.api("POST", "/api/routes" + spec, {"target": target, **data})
        assert answer.status == 201

    async def workers(self) -> list[int]:
        """Return the process ids of those that forward."""
        found = (await self.api("GET", "/api/status")).json()["workers"]
        assert isinstance(found, list)
        return found

    async def activity(self, spec: str) -> str:
        """Return when a route was last used; whoever uses it from now on does so in another millisecond."""
        last = str((await self.api("GET", "/api/routes" + spec)).json()["last_activity"])
        end = time.monotonic() + 0.005
        await until(lambda: time.monotonic() > end, "the clock moves")
        return last

    def descriptors(self) -> int:
        """Return how many are open in all its processes."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in processes.tree(self.process.pid))

    def memory(self) -> int:
        """Return the bytes that its processes hold besides files; what they share counts once."""
        return sum(map(processes.heap, processes.tree(self.process.pid)))

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), DEADLINE)


def command(*flags: str) -> list[str]:
    return [sys.executable, "-m", "carrel.dataplane", *flags]


@contextlib.asynccontextmanager
async def proxy(
    directory: Path, *flags: str, socket: Path | None = None, workers: int | None = None, port: int = 0
) -> AsyncIterator[Proxy]:
    """Run a carrel-proxy on free ports, or on a Unix socket; `flags` come after the usual ones."""
    status_file = directory / "status.json"
    place = ("--ip", "127.0.0.1", "--port", str(port)) if socket is None else ("--socket", str(socket))
    process = await asyncio.create_subprocess_exec(
        *command(*place, "--api-port", "0", "--status-file", str(status_file)),
        *("--workers", str(workers or WORKERS)),
        *flags,
        env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN},
    )

    def ready() -> bool:
        status = read_status(status_file)
        return status is not None and status.pid == process.pid

    try:
        await until(lambda: ready() or process.returncode is not None, "the proxy listens")
        status = read_status(status_file)
        assert status is not None
        running = Proxy(process, status.public_port, status.api_port, socket=socket)
        try:
            yield running
        finally:
            for wire in running.wires:
                wire.close()
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), DEADLINE)
            if process.returncode is None:
                process.kill()
                await process.wait()
