"""The connection to a server: sends a request, passes the answer on as it comes, then rests in its pool."""

from __future__ import annotations

import asyncio
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from carrel.dataplane.exchange import Downstream, Request
from carrel.dataplane.headers import BODILESS, AnswerHead, Headers, RefusedError, read_answer
from carrel.dataplane.leftover import read_leftover

HIGH_WATER = 128 * 1024


# How the client is told where the body ends.
_NONE = 0
_LENGTH = 1
_CHUNKED = 2
_UNTIL_EOF = 3


class Home(Protocol):
    """Where a connection rests between two requests."""

    max_header_bytes: int

    def keep(self, connection: UpstreamConnection) -> None:
        """Take a connection that is ready for another request."""

    def drop(self, connection: UpstreamConnection) -> None:
        """Forget a connection that is gone."""


class UpstreamConnection(asyncio.Protocol):
    """One connection; at most one request at a time."""

    __slots__ = (
        "bad",
        "by_close",
        "client",
        "close_client",
        "done",
        "framing",
        "got",
        "headers",
        "home",
        "idle_since",
        "left",
        "out",
        "parser",
        "paused",
        "progress",
        "reason",
        "request",
        "reusable",
        "reused",
        "spent",
        "stalled",
        "status",
        "switching",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, home: Home) -> None:
        self.home = home
        self.parser = HttpResponseParser(self)
        self.client: Downstream | None = None
        self.request: Request | None = None
        self.headers: Headers = []
        self.reason = b""
        self.out: list[bytes] = []
        self.idle_since = 0.0
        self.reused = self.spent = self.paused = self.switching = False
        self._reset()

    def _reset(self) -> None:
        self.got = self.done = self.bad = self.close_client = self.progress = False
        self.reusable = self.by_close = False
        self.left = -1
        self.stalled = 0
        self.status = 0
        self.framing = _NONE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name
        self.transport.set_write_buffer_limits(HIGH_WATER)

    def start(self, client: Downstream, request: Request) -> None:
        """Send a request and what has come of its body; the answer goes to `client`."""
        self._reset()
        self.client, self.request = client, request
        if self.spent:
            self.parser = HttpResponseParser(self)
            self.spent = False
        request.sink = self.transport
        head = request.head
        prefix = request.route.target.prefix if request.route else b""
        line = b"%b %b%b HTTP/1.1\r\n" % (request.method, prefix, head.target)
        self.transport.write(b"".join((line, *head.lines, b"\r\n", *request.body)))
        request.body.clear()
        client.accepted()
        if client.slow:
            self.pause()

    def abandon(self) -> None:
        """Forget the client and close: nobody waits for the answer any more."""
        if self.request is not None:
            self.request.sink = None
        self.client = self.request = None
        self.transport.abort()

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self.done:
            self.reusable = False  # the start of an answer that nobody asked for
        self.headers = []
        self.reason = b""

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))  # a trailer comes when nobody looks any more

    def on_headers_complete(self) -> None:
        self.progress = True
        request = self.request
        if request is None or self.done:
            self.reusable = False
            return
        self.status = self.parser.get_status_code()
        try:
            if self.parser.get_http_version() not in ("1.1", "1.0"):
                raise RefusedError(502, "unknown version")
            head = read_answer(self.status, self.reason, self.headers)
        except RefusedError:
            self.bad = True
            return
        if self.status < 200:
            self._interim(request, head)
        else:
            self._final(request, head)

    def on_body(self, data: bytes) -> None:
        self.progress = True
        if self.done:
            self.reusable = False
        elif self.framing == _CHUNKED:
            self.out += (b"%x\r\n" % len(data), data, b"\r\n")
        else:
            self.left -= len(data)
            self.out.append(data)

    def on_message_complete(self) -> None:
        self.progress = True
        if self.status >= 200 and not self.done:
            if self.framing == _CHUNKED:
                self.out.append(b"0\r\n\r\n")
            self.done = True

    def _interim(self, request: Request, head: AnswerHead) -> None:
        if self.status == 101:
            self.switching = request.wants_upgrade
            self.bad = not self.switching
            self.out += (*head.lines, b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % head.protocol)
        elif not request.http10:
            self.out += (*head.lines, b"\r\n")

    def _final(self, request: Request, head: AnswerHead) -> None:
        self.reusable = self.parser.should_keep_alive()
        lines = head.lines
        if request.relocate is not None:
            request.relocate(self.status, lines)
        if request.method == b"HEAD" or self.status in BODILESS:
            if head.length >= 0 and self.status != 204:
                lines.append(b"Content-Length: %d\r\n" % head.length)
            elif head.chunked and self.status == 200:
                lines.append(b"Transfer-Encoding: chunked\r\n")
            self.spent = request.method == b"HEAD"
            self.done = True
        elif head.length >= 0:
            lines.append(b"Content-Length: %d\r\n" % head.length)
            self.framing, self.left = _LENGTH, head.length
        else:
            self.framing = _UNTIL_EOF if request.http10 else _CHUNKED
            self.close_client = request.http10
            self.by_close = not head.chunked
            self.reusable = self.reusable and head.chunked
            if not request.http10:
                lines.append(b"Transfer-Encoding: chunked\r\n")
        if not request.complete:
            self.close_client = True  # the rest of its body will not be read
        if self.close_client or not request.keep:
            lines.append(b"Connection: close\r\n\r\n")
        else:
            lines.append(b"Connection: keep-alive\r\n\r\n" if request.http10 else b"\r\n")
        self.out += lines

    # What the transport reports.

    def data_received(self, data: bytes) -> None:
        client, request = self.client, self.request
        if client is None or request is None:
            self.transport.abort()
            return
        self.got = True
        if self.spent and self.left > 0:
            self._pass_on(client, data)
            return
        self.progress = False
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if self.switching:
                self._switch(client, request, data[upgrade.args[0] :])
                return
            self.bad = True
        except HttpParserError:
            self.bad = self.bad or not self.done
            self.reusable = False
        if self.bad or self._endless(len(data)):
            self._fail(client, request)
            return
        self._flush(client, request)

    def _flush(self, client: Downstream, request: Request) -> None:
        if self.out:
            request.responded = self.status >= 200
            client.transport.write(b"".join(self.out))
            self.out.clear()
        if self.done:
            self._finish()
        elif self.left > 0:
            self.spent = True

    def _pass_on(self, client: Downstream, data: bytes) -> None:
        """Pass on body bytes of a known number, unparsed and uncopied."""
        extra = len(data) - self.left
        if extra > 0:
            self.reusable = False
            data = data[: self.left]
        self.left -= len(data)
        client.transport.write(data)
        if self.left == 0:
            self._finish()

    def _endless(self, size: int) -> bool:
        self.stalled = 0 if self.progress else self.stalled + size
        return self.stalled > self.home.max_header_bytes

    def _drop_parser(self) -> None:
        # It holds this connection in turn: such circles would wait for the rare full collection.
        if hasattr(self, "parser"):
            del self.parser

    def _switch(self, client: Downstream, request: Request, extra: bytes) -> None:
        self.client = self.request = None
        self._drop_parser()
        first = b"".join((*self.out, extra))
        self.out.clear()
        client.upgraded(request, self.transport, first)

    def _finish(self) -> None:
        client, request = self.client, self.request
        self.client = self.request = None
        if client is None or request is None:
            return
        self.resume()
        request.sink = None
        if self.reusable and request.complete and not request.wants_upgrade:
            self.home.keep(self)
        else:
            self.transport.close()
        client.answered(request, self.status, self.close_client)

    def _fail(self, client: Downstream, request: Request) -> None:
        self.client = self.request = None
        request.sink = None
        self.transport.abort()
        if request.responded:
            client.cut(request, self.framing == _UNTIL_EOF)
        else:
            client.broken(request, 502)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._read_on()
        self._drop_parser()
        client, request = self.client, self.request
        self.client = self.request = None
        if client is None or request is None:
            self.home.drop(self)
            return
        request.sink = None
        if not self.got and self.reused and request.repeatable:
            client.retry(request)
        elif not request.responded:
            client.broken(request, 502)
        elif self.by_close and exc is None:
            if self.framing == _CHUNKED:
                client.transport.write(b"0\r\n\r\n")
            client.answered(request, self.status, self.close_client)
        else:
            client.cut(request, self.framing == _UNTIL_EOF)

    def _read_on(self) -> None:
        """Take an early answer that a reset, noticed in writing, has overtaken."""
        if self.request is not None and not self.request.wants_upgrade:
            leftover = read_leftover(self.transport)
            if leftover:
                self.data_received(leftover)

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client.hold_body()

    def resume_writing(self) -> None:
        if self.client is not None:
            self.client.release_body()

    def pause(self) -> None:
        """Read no more from the server for now; may be repeated."""
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again; may be repeated."""
        if self.paused and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()
