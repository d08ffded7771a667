"""The listeners of the API and its like: small requests with whole bodies, one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
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


#: What answers calls: at once, or when something else has happened.
Answer = Callable[[Call], Reply | Coroutine[None, None, Reply]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may take: bytes of a body, and seconds in all (0: as long as it likes)."""

    body_bytes: int = 64 * 1024 * 1024
    seconds: float = 0.0


class ControlConnection(asyncio.Protocol):
    """One connection; `answer` is asked for every request, when the one before it is answered."""

    transport: asyncio.Transport

    def __init__(self, answer: Answer, bounds: Bounds) -> None:
        self._answer = answer
        self._bounds = bounds
        self._end: asyncio.TimerHandle | None = None
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._authorization = self._host = self._change = ""
        self._body = bytearray()
        self._head_size = 0
        #: Calls that are not answered yet, and whether the connection stays open then; a refusal is the last.
        self._waiting: deque[tuple[Call | Reply, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name
        if self._bounds.seconds:
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(self._bounds.seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        # It refers to this connection, and this to it: neither would go before cycles are looked for.
        del self._parser

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
        self._take(Reply(status), keep=False)

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
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode()
        call = Call(method, path, query, self._authorization, bytes(self._body), self._host, self._change)
        self._take(call, keep=self._parser.should_keep_alive())

    def _take(self, call: Call | Reply, *, keep: bool) -> None:
        if self._closing:
            return
        self._closing = not keep
        self._waiting.append((call, keep))
        if self._task is None:
            self._serve()

    def _serve(self) -> None:
        while self._waiting and not self.transport.is_closing():
            call, keep = self._waiting.popleft()
            reply = self._answer(call) if isinstance(call, Call) else call
            if not isinstance(reply, Reply):
                # What comes meanwhile stays where it is: calls are answered one after the other.
                self.transport.pause_reading()
                self._task = asyncio.get_running_loop().create_task(self._wait(reply, call, keep=keep))
                return
            self._write(reply, call, keep=keep)

    async def _wait(self, answer: Coroutine[None, None, Reply], call: Call | Reply, *, keep: bool) -> None:
        try:
            reply = await answer
        except BaseException:
            self.transport.abort()
            raise
        self._task = None
        if not self.transport.is_closing():
            self._write(reply, call, keep=keep)
            self._serve()
        if self._task is None and not self.transport.is_closing():
            self.transport.resume_reading()

    def _write(self, reply: Reply, call: Call | Reply, *, keep: bool) -> None:
        head_only = isinstance(call, Call) and call.method == "HEAD"
        self.transport.write(reply.encode(head_only=head_only, close=not keep))
        if not keep:
            self.transport.close()
