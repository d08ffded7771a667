"""The connection to a server: sends a request, passes the answer on as it comes, then rests in its pool."""

from __future__ import annotations

import asyncio
from typing import Protocol

from httptools import HttpResponseParser

from carrel.dataplane.answer_head import BODILESS, AnswerHead, read_answer
from carrel.dataplane.chunks import LAST, ChunkedBody, framed
from carrel.dataplane.exchange import Downstream
from carrel.dataplane.head_parser import HeadParser, MalformedError
from carrel.dataplane.leftover import read_leftover
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.request import Request
from carrel.dataplane.targets import Address

HIGH_WATER = 128 * 1024
#: How many interim answers may come before the final one.
_MAX_INTERIM = 32


class Home(Protocol):
    """Where a connection rests between two requests."""

    address: Address
    max_header_bytes: int

    def keep(self, connection: UpstreamConnection) -> None:
        """Take a connection that is ready for another request."""

    def drop(self, connection: UpstreamConnection) -> None:
        """Forget a connection that is gone."""


class UpstreamConnection(asyncio.Protocol):
    """One connection; at most one request at a time."""

    __slots__ = (
        "_chunks",
        "_client",
        "_close_client",
        "_closes_body",
        "_got",
        "_heads",
        "_home",
        "_interim",
        "_left",
        "_paused",
        "_reusable",
        "_status",
        "idle_since",
        "request",
        "reused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, home: Home) -> None:
        self._home = home
        self._client: Downstream | None = None
        self.request: Request | None = None
        self._heads = HeadParser(HttpResponseParser)
        self.idle_since = 0.0
        self.reused = self._paused = False
        self._reset()

    def _reset(self) -> None:
        self._got = self._reusable = self._close_client = False
        # The body ends after so many bytes, or with its last chunk, or else with the connection.
        self._left = 0
        self._chunks: ChunkedBody | None = None
        #: The client is told of its end by closing: HTTP/1.0 has no chunks.
        self._closes_body = False
        #: Of the final answer; 0 until its head is complete.
        self._status = 0
        self._interim = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name
        self.transport.set_write_buffer_limits(HIGH_WATER)

    def start(self, client: Downstream, request: Request) -> None:
        """Send a request and what has come of its body; the answer goes to `client`."""
        self._reset()
        self._client, self.request = client, request
        request.sink = self.transport
        prefix = request.route.target.prefix if request.route else b""
        line = b"%b %b%b HTTP/1.1\r\n%b\r\n" % (request.method, prefix, request.target, request.block)
        if request.body:
            line = b"".join((line, *request.body))
            request.body.clear()
            client.accepted()
        self.transport.write(line)
        if client.slow:
            self.pause()

    def abandon(self) -> None:
        """Forget the client and close: nobody waits for the answer any more."""
        if self.request is not None:
            self.request.sink = None
        self._client = self.request = None
        self.transport.abort()

    # What the transport reports.

    def data_received(self, data: bytes) -> None:
        client, request = self._client, self.request
        if client is None or request is None:
            self.transport.abort()
            return
        self._got = True
        try:
            if not self._status:
                self._take_head(client, request, data)
            elif self._left:
                self._take_known(client, request, b"", data)
            else:
                self._take_framed(client, request, b"", data)
        except (MalformedError, RefusedError):
            self._fail(client, request)

    def _take_head(self, client: Downstream, request: Request, data: bytes) -> None:
        while data:
            taken = self._heads.take(data)
            if taken is None:
                if len(self._heads.raw) > self._home.max_header_bytes:
                    raise MalformedError
                return
            data, size = taken
            if not size:
                raise MalformedError  # only a client may begin with empty lines
            head = read_answer(data, size)
            if head.status >= 200:
                self._final(client, request, head, data, size)
                return
            data = data[size:]
            if head.status == 101:
                self._switch(client, request, head, data)
                return
            self._pass_interim(client, request, head)

    def _pass_interim(self, client: Downstream, request: Request, head: AnswerHead) -> None:
        self._interim += 1
        if self._interim > _MAX_INTERIM or head.chunked or head.length >= 0:
            raise MalformedError
        if not request.http10:
            client.transport.write(b"%b%b\r\n" % (head.line, head.passed_on()))

    def _final(self, client: Downstream, request: Request, head: AnswerHead, data: bytes, size: int) -> None:
        """Pass on the head, the first `size` bytes of the data, and what there is of the body."""
        status = self._status = head.status
        self._reusable = head.keep
        request.responded = True
        if request.relocate is not None:
            request.relocate(head)
        bodiless = status in BODILESS or request.method == b"HEAD"
        as_it_came = head.verbatim and request.keep and request.complete and not request.http10
        if as_it_came and head.length == len(data) - size and not bodiless:
            client.transport.write(data)
            self._finish(client, request)
            return
        start = data[:size] if as_it_came and status != 204 else self._rewritten(request, head, bodiless)
        rest = data[size:]
        if bodiless or head.length == 0:
            self._reusable = self._reusable and not rest
            client.transport.write(start)
            self._finish(client, request)
        elif head.length > 0:
            self._left = head.length
            self._take_known(client, request, start, rest)
        else:
            if head.chunked:
                limit = self._home.max_header_bytes
                self._chunks = ChunkedBody(limit, status=502, framed=not self._closes_body)
            self._take_framed(client, request, start, rest)

    def _rewritten(self, request: Request, head: AnswerHead, bodiless: bool) -> bytes:
        """Return the head with the framing that the client is to see."""
        framing = b""
        if head.length >= 0:
            framing = b"Content-Length: %d\r\n" % head.length if head.status != 204 else b""
        elif request.http10:
            self._closes_body = not bodiless
        elif not bodiless or (head.chunked and head.status == 200):
            framing = b"Transfer-Encoding: chunked\r\n"
        # The rest of an unfinished request's body will not be read.
        self._close_client = self._closes_body or not request.complete
        connection = b""
        if self._close_client or not request.keep:
            connection = b"Connection: close\r\n"
        elif request.http10:
            connection = b"Connection: keep-alive\r\n"
        return b"".join((head.line, head.passed_on(), framing, connection, b"\r\n"))

    def _take_known(self, client: Downstream, request: Request, start: bytes, data: bytes) -> None:
        """Pass on body bytes of a known number, behind the start."""
        left = self._left - len(data)
        if left < 0:
            self._reusable = False
            data = data[:left]
            left = 0
        self._left = left
        client.transport.write(start + data if start else data)
        if not left:
            self._finish(client, request)

    def _take_framed(self, client: Downstream, request: Request, start: bytes, data: bytes) -> None:
        """Pass on a body that ends with its last chunk, or with the connection."""
        out = [start]
        rest: bytes | None = None
        try:
            if self._chunks is not None:
                rest = self._chunks.feed(data, out)
            elif data:
                out += (data,) if self._closes_body else framed(data)
        finally:
            client.transport.write(b"".join(out))
        if rest is not None:
            self._reusable = self._reusable and not rest
            self._finish(client, request)

    def _switch(self, client: Downstream, request: Request, head: AnswerHead, rest: bytes) -> None:
        if not request.wants_upgrade:
            raise MalformedError
        self._client = self.request = None
        if client.transport.is_closing():
            # With TLS its protocol is told a turn later, and only the one that it has now.
            self.transport.abort()
            return
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % head.protocol
        client.upgraded(request, self.transport, b"".join((head.line, head.passed_on(), upgrade, rest)))

    def _finish(self, client: Downstream, request: Request) -> None:
        self._client = self.request = None
        if self._paused:
            self.resume()
        request.sink = None
        if self._reusable and request.complete and not request.wants_upgrade:
            self._home.keep(self)
        else:
            self.transport.close()
        client.answered(request, self._status, self._close_client)

    def _fail(self, client: Downstream, request: Request) -> None:
        self._client = self.request = None
        request.sink = None
        self.transport.abort()
        if request.responded:
            client.cut(request, self._closes_body)
        else:
            client.broken(request, 502)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._read_on()
        client, request = self._client, self.request
        self._client = self.request = None
        if client is None or request is None:
            self._home.drop(self)
            return
        request.sink = None
        if not self._got and request.may_move:
            # Also from a kept connection: a program that is being killed may take a new one, its last.
            client.retry(request, self._home.address)
        elif not self._got and self.reused and request.repeatable:
            client.retry(request)
        elif not request.responded:
            client.broken(request, 502)
        elif self._chunks is None and not self._left and exc is None:
            if not self._closes_body:
                client.transport.write(LAST)
            client.answered(request, self._status, self._close_client)
        else:
            client.cut(request, self._closes_body)

    def _read_on(self) -> None:
        """Take an early answer that a reset, noticed in writing, has overtaken."""
        if self.request is not None and not self.request.wants_upgrade:
            leftover = read_leftover(self.transport)
            if leftover:
                self.data_received(leftover)

    def pause_writing(self) -> None:
        if self._client is not None:
            self._client.hold_body()

    def resume_writing(self) -> None:
        if self._client is not None:
            self._client.release_body()

    def pause(self) -> None:
        """Read no more from the server for now; may be repeated."""
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again; may be repeated."""
        if self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()
