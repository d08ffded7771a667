"""The servers behind the proxies: a few ports, cheap, in one process: `python -m bench.proxy.upstream COUNT`.

The last segment of the path says what happens: `download` and `upload` move a large body, `echo` upgrades and
sends back what comes, anything else is answered with 1 KiB. The answers have a notebook server's headers, and
an ETag that changes from one to the next.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import cast

import uvloop

#: Bytes of a large body.
LARGE = 100 * 10**6
#: Bytes of a small one, and how many answers with it take turns.
SMALL = 1024
VARIANTS = 64

_HEAD = (
    "HTTP/1.1 200 OK\r\nServer: TornadoServer/6.5\r\nContent-Type: application/json\r\n"
    "Date: Mon, 05 Jan 2026 10:00:00 GMT\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: frame-ancestors 'self'; report-uri /api/security/csp-report; "
    "default-src 'none'\r\n"
    'X-Port: {port}\r\nETag: "{tag}"\r\nContent-Length: {size}\r\n\r\n'
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"\r\nsec-websocket-key: *(\S+)", re.IGNORECASE)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BODY = bytes(LARGE)


class Answers:
    """What one port answers with, made once."""

    def __init__(self, port: int) -> None:
        def head(tag: str, size: int) -> bytes:
            return _HEAD.format(port=port, tag=tag, size=size).encode()

        tags = (hashlib.sha1(str(number).encode()).hexdigest() for number in range(VARIANTS))
        self.small: Iterator[bytes] = itertools.cycle([head(tag, SMALL) + b"x" * SMALL for tag in tags])
        self.large = head("large", LARGE)
        self.empty = head("empty", 0)


class Connection(asyncio.Protocol):
    """One connection of a proxy; every request is answered in turn."""

    transport: asyncio.Transport

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._rest = b""
        self._body = 0
        self._take: Callable[[bytes], None] = self._requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what has come as requests, as a body or as frames."""
        self._take(data)

    def _requests(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head, data = data[:end], data[end + 4 :]
            match head[: head.find(b" HTTP/1.1\r\n")].rpartition(b"/")[2]:
                case b"echo":
                    self._upgrade(head)
                    return
                case b"upload":
                    self._upload(head, len(data))
                    return
                case b"download":
                    self.transport.write(self._answers.large)
                    self.transport.write(_BODY)
                case _:
                    self.transport.write(next(self._answers.small))
        self._rest = data

    def _upload(self, head: bytes, come: int) -> None:
        length = _LENGTH.search(head)
        self._body = int(length[1]) - come if length else 0
        self._rest, self._take = b"", self._sink

    def _sink(self, data: bytes) -> None:
        self._body -= len(data)
        if self._body <= 0:
            self._take = self._requests
            self.transport.write(self._answers.empty)

    def _upgrade(self, head: bytes) -> None:
        key = _KEY.search(head)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        # A server's frames would have no mask, but nobody on the way looks into them.
        self._take = self.transport.write


async def serve(count: int) -> None:
    """Listen on that many free loopback ports, print them on one line, and serve until ended."""
    loop = asyncio.get_running_loop()
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for port, listener in zip(ports, listeners, strict=True):
        answers = Answers(port)
        await loop.create_server(lambda answers=answers: Connection(answers), sock=listener)  # type: ignore[misc]
    print(*ports, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
