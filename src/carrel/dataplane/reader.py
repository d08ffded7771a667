"""Turns the bytes of a client into requests and their bodies, and refuses what could be read in two ways."""

from __future__ import annotations

from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from carrel.dataplane.exchange import Request
from carrel.dataplane.headers import Headers, Peer, RefusedError, read_request
from carrel.dataplane.limits import Limits

#: A body of which more than this is still to come is passed on without looking at it.
_UNPARSED = 64 * 1024


class Receiver(Protocol):
    """Who takes the requests."""

    def received(self, request: Request) -> None:
        """Take a request: complete, or with its body to follow."""

    def body(self, request: Request, data: bytes) -> None:
        """Take a piece of a body, framed as it is to be sent on."""

    def refused(self, request: Request | None, error: RefusedError) -> None:
        """Take the end of what can be read: the request, or one not yet taken, is malformed."""


class RequestReader:
    """Reads one connection. Once `deaf`, it throws away whatever still comes."""

    __slots__ = (
        "_headers",
        "_limits",
        "_parser",
        "_peer",
        "_progress",
        "_receiver",
        "_replaying",
        "_request",
        "_size",
        "_stalled",
        "_target",
        "_unparsed",
        "_upgrading",
        "deaf",
        "rest",
    )

    def __init__(self, receiver: Receiver, peer: Peer, limits: Limits) -> None:
        self._receiver = receiver
        self._peer = peer
        self._limits = limits
        self._parser = HttpRequestParser(self)
        self._request: Request | None = None
        self._headers: Headers = []
        self._target = b""
        self._stalled = self._unparsed = self._size = 0
        self._progress = self._upgrading = self._replaying = False
        self.deaf = False
        #: What came behind the head of an upgrade: it belongs to the other protocol.
        self.rest = b""

    def close(self) -> None:
        """Read nothing any more. The parser goes: it holds this reader, and circles last long."""
        self.deaf = True
        self._request = None
        if hasattr(self, "_parser"):
            del self._parser

    def feed(self, data: bytes) -> None:
        """Read on; calls the receiver for whatever is complete."""
        if self._unparsed and not self.deaf:
            data = self._pass_on(data)
        if not data or self.deaf:
            return
        if self._upgrading:
            self.rest += data
            return
        self._progress = False
        self._size = self._stalled + len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
            return
        except HttpParserError:
            self._malformed()
            return
        self._after(len(data))

    def _after(self, size: int) -> None:
        self._stalled = 0 if self._progress else self._stalled + size
        if self._stalled > self._limits.header_bytes:
            self._refuse(RefusedError(431, "its headers are too large"))
        elif self._request is not None and self._request.left > _UNPARSED:
            self._unparsed = self._request.left

    def _malformed(self) -> None:
        request = self._request
        if request is not None and request.complete and not request.keep:
            self.deaf = True  # only something behind the last request was
        else:
            self._refuse(RefusedError(400, "it is not well-formed HTTP"))

    def _refuse(self, error: RefusedError) -> None:
        if not self.deaf:
            self.deaf = True
            request = self._request
            self._receiver.refused(None if request is None or request.complete else request, error)

    def _upgrade(self, rest: bytes) -> None:
        request = self._request
        if request is not None and request.wants_upgrade:
            self._upgrading = True
            self.rest = rest
        elif not self.deaf:
            self._go_on(request)
            self.feed(rest)

    def _go_on(self, request: Request | None) -> None:
        """Read on as if no upgrade had been asked for: the parser leaves the body to the other protocol.

        A new one is told of the body by a head like the one it belongs to.
        """
        parser = self._parser = HttpRequestParser(self)
        if request is not None and request.has_body:
            framing = (
                b"Transfer-Encoding: chunked"
                if request.head.chunked
                else b"Content-Length: %d" % request.left
            )
            close = b"" if request.keep else b"\r\nConnection: close"
            self._replaying = True
            parser.feed_data(b"POST / HTTP/1.1\r\nHost: h\r\n%b%b\r\n\r\n" % (framing, close))
            self._replaying = False

    def _pass_on(self, data: bytes) -> bytes:
        """Pass body bytes of a known number on unparsed; return what comes behind them."""
        rest = data[self._unparsed :]
        if rest:
            data = data[: self._unparsed]
        self._unparsed -= len(data)
        request = self._request
        if request is not None:
            request.left = self._unparsed
            request.complete = not self._unparsed
            self._receiver.body(request, data)
            if request.complete:
                self.deaf = self.deaf or not request.keep
        if not self._unparsed:
            self._parser = HttpRequestParser(self)
            self._request = None
        return rest

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self._replaying:
            return
        self._target = b""
        self._headers = []
        self._request = None

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.deaf or self._replaying:
            return
        self._progress = True
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        request = Request(method, self._headers, parser.should_keep_alive(), version == "1.0")
        try:
            request.head = read_request(method, self._target, self._headers, version, self._peer)
            if len(self._target) > self._limits.line_bytes:
                raise RefusedError(414, "its target is too long")
            if len(self._headers) > self._limits.headers:
                raise RefusedError(431, "it has too many headers")
            if self._size > self._limits.header_bytes:
                self._check_size(request)
        except RefusedError as error:
            self._request = request
            self._refuse(error)
            return
        self._request = request
        self._headers = []  # what still comes is a trailer, and is dropped
        request.left = request.head.length
        request.wants_upgrade = request.head.protocol != b""
        request.keep = request.keep and not request.wants_upgrade
        if request.has_body:
            self._receiver.received(request)

    def _check_size(self, request: Request) -> None:
        sizes = (len(name) + len(value) + 4 for name, value in request.headers)
        if sum(sizes) + len(self._target) > self._limits.header_bytes:
            raise RefusedError(431, "its headers are too large")

    def on_body(self, data: bytes) -> None:
        self._progress = True
        request = self._request
        if request is None or self.deaf:
            return
        if request.head.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        else:
            request.left -= len(data)
        self._receiver.body(request, data)

    def on_message_complete(self) -> None:
        self._progress = True
        request = self._request
        if request is None or self.deaf:
            return
        if request.has_body and self._parser.should_upgrade():
            return  # the parser passes over a body where an upgrade is asked for
        request.complete = True
        if request.head.chunked:
            self._receiver.body(request, b"0\r\n\r\n")
        elif not request.has_body:
            self._receiver.received(request)
