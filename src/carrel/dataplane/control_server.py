"""The listeners of the API and its like: small requests with whole bodies, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from carrel.dataplane.replies import Reply

_MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `path` is still escaped."""

    method: str
    path: str
    query: str = ""
    authorization: str = ""
    body: bytes = b""
    host: str = ""
    #: What the header Carrel-Change says.
    change: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may take: bytes of a body, and seconds in all (0: as long as it likes)."""

    body_bytes: int = 64 * 1024 * 1024
    seconds: float = 0.0


class ControlConnection(asyncio.Protocol):
    """One connection; `answer` is asked for every request."""

    transport: asyncio.Transport

    def __init__(self, answer: Callable[[Call], Reply], bounds: Bounds) -> None:
        self._answer = answer
        self._bounds = bounds
        self._end: asyncio.TimerHandle | None = None
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._authorization = self._host = self._change = ""
        self._body = bytearray()
        self._head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name
        if self._bounds.seconds:
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(self._bounds.seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()

    def data_received(self, data: bytes) -> None:
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._refuse(400)
        if self._head_size > _MAX_HEAD + len(self._body):
            self._refuse(431)
        elif len(self._body) > self._bounds.body_bytes:
            self._refuse(413)

    def _refuse(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(Reply(status).encode(close=True))
            self.transport.close()

    def on_message_begin(self) -> None:
        self._url = b""
        self._authorization = self._host = self._change = ""
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"authorization":
            self._authorization = value.decode("latin-1")
        elif lowered == b"host":
            self._host = value.decode("latin-1")
        elif lowered == b"carrel-change":
            self._change = (
                f"{self._change}, {value.decode('latin-1')}" if self._change else value.decode("latin-1")
            )
        elif lowered == b"expect" and value.lower() == b"100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._head_size = 0
        if self.transport.is_closing():
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode()
        call = Call(method, path, query, self._authorization, bytes(self._body), self._host, self._change)
        keep = self._parser.should_keep_alive()
        self.transport.write(self._answer(call).encode(head_only=method == "HEAD", close=not keep))
        if not keep:
            self.transport.close()
