"""Turns the bytes of a client into requests and their bodies, and refuses what could be read in two ways."""

from __future__ import annotations

from typing import Protocol

from httptools import HttpRequestParser

from carrel.dataplane.chunks import ChunkedBody
from carrel.dataplane.head_parser import HeadParser, MalformedError
from carrel.dataplane.limits import Limits
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.request import Request
from carrel.dataplane.request_head import Peer, read_again, read_request

_MALFORMED = RefusedError(400, "it is not well-formed HTTP")


class Receiver(Protocol):
    """Who takes the requests."""

    def received(self, request: Request) -> None:
        """Take a request: complete, or with its body to follow."""

    def body(self, request: Request, data: bytes) -> None:
        """Take a piece of a body, framed as it is to be sent on."""

    def refused(self, request: Request, error: RefusedError) -> None:
        """Take the end of what can be read: this request, new or half received, is malformed."""


class RequestReader:
    """Reads one connection. Once `deaf`, it throws away whatever still comes."""

    __slots__ = (
        "_chunks",
        "_heads",
        "_limits",
        "_peer",
        "_quick",
        "_receiver",
        "_request",
        "deaf",
        "rest",
    )

    def __init__(self, receiver: Receiver, peer: Peer, limits: Limits) -> None:
        self._receiver = receiver
        self._peer = peer
        self._limits = limits
        self._heads = HeadParser(HttpRequestParser)
        #: The one whose body is to come, or that asks for another protocol.
        self._request: Request | None = None
        self._chunks: ChunkedBody | None = None
        #: Nothing shorter can be over a limit.
        self._quick = min(limits.line_bytes, limits.header_bytes)
        self.deaf = False
        #: What came behind the head of an upgrade: it belongs to the other protocol.
        self.rest = b""

    def close(self) -> None:
        """Read nothing any more, and let go of the receiver: circles wait for the rare full collection."""
        self.deaf = True
        self._request = None
        if hasattr(self, "_receiver"):
            del self._receiver

    def feed(self, data: bytes) -> None:
        """Read on; calls the receiver for whatever is complete."""
        while data and not self.deaf:
            request = self._request
            if request is None:
                data = self._take_head(data)
            elif request.wants_upgrade:
                self.rest += data
                return
            elif self._chunks is None:
                data = self._take_known(request, data)
            else:
                data = self._take_chunks(request, self._chunks, data)

    def _take_head(self, data: bytes) -> bytes:
        if not self._heads.raw and len(data) <= self._quick:
            request = read_again(data, self._peer)
            if request is not None:
                self._receiver.received(request)
                return b""
        try:
            taken = self._heads.take(data)
        except MalformedError:
            return self._refuse(_unread(self._heads.raw or data), _MALFORMED)
        if taken is None:
            if len(self._heads.raw) > self._limits.header_bytes:
                error = RefusedError(431, "its headers are too large")
                return self._refuse(_unread(self._heads.raw), error)
            return b""
        data, size = taken
        if size:
            raw = data[:size]
            try:
                request = read_request(raw, self._peer)
                self._check_size(request)
            except RefusedError as error:
                return self._refuse(_unread(raw), error)
            self._begin(request)
        return data[size:]

    def _begin(self, request: Request) -> None:
        if request.has_body:
            self._request = request
            request.left = request.length
            self._chunks = ChunkedBody(self._limits.header_bytes) if request.chunked else None
        else:
            request.complete = True
            if request.wants_upgrade:
                self._request = request
            else:
                self.deaf = not request.keep
        self._receiver.received(request)

    def _check_size(self, request: Request) -> None:
        limits, raw = self._limits, request.raw
        if len(request.target) > limits.line_bytes:
            raise RefusedError(414, "its target is too long")
        if raw.count(b"\r\n") - 2 > limits.headers:
            raise RefusedError(431, "it has too many headers")
        if len(raw) > limits.header_bytes:
            raise RefusedError(431, "its headers are too large")

    def _take_known(self, request: Request, data: bytes) -> bytes:
        """Pass on body bytes of a known number; return what comes behind them."""
        rest = b""
        if len(data) > request.left:
            data, rest = data[: request.left], data[request.left :]
        request.left -= len(data)
        if not request.left:
            self._complete(request)
        self._receiver.body(request, data)
        return rest

    def _take_chunks(self, request: Request, chunks: ChunkedBody, data: bytes) -> bytes:
        framed: list[bytes] = []
        try:
            rest = chunks.feed(data, framed)
        except RefusedError as error:
            return self._refuse(request, error)
        if rest is not None:
            self._complete(request)
        if framed:
            self._receiver.body(request, b"".join(framed))
        return rest or b""

    def _complete(self, request: Request) -> None:
        request.complete = True
        self._request = self._chunks = None
        self.deaf = self.deaf or not request.keep

    def _refuse(self, request: Request, error: RefusedError) -> bytes:
        self.deaf = True
        self._request = None
        self._receiver.refused(request, error)
        return b""


def _unread(raw: bytes) -> Request:
    """Return what stands for a request that could not be read, so that it can be answered."""
    request = Request(raw, raw.partition(b" ")[0], b"")
    request.keep = False
    return request
