"""One request on its way through, and what the two connections that carry it know of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from carrel.dataplane.headers import IDEMPOTENT, Headers, RefusedError, RequestHead
from carrel.dataplane.routes import Route


class Request:
    """A request from the moment its head is complete until its answer is."""

    __slots__ = (
        "body",
        "complete",
        "head",
        "headers",
        "http10",
        "keep",
        "left",
        "method",
        "moved",
        "original",
        "refusal",
        "relocate",
        "responded",
        "retried",
        "route",
        "sent",
        "sink",
        "wants_upgrade",
    )

    def __init__(self, method: bytes, headers: Headers, keep: bool, http10: bool) -> None:
        self.method = method
        self.headers = headers
        self.keep = keep
        self.http10 = http10
        self.head = RequestHead(b"")
        self.route: Route | None = None
        #: The target that the client asked for, when another one is sent on.
        self.original = b""
        #: Changes an answer's lines, by its status.
        self.relocate: Callable[[int, list[bytes]], None] | None = None
        #: When the last byte came or went; minded only with a time limit on silence.
        self.moved = 0.0
        self.refusal: RefusedError | None = None
        self.body: list[bytes] = []
        self.sink: asyncio.WriteTransport | None = None
        self.left = 0
        self.complete = False
        self.responded = False
        self.retried = False
        #: Something of its body has come.
        self.sent = False
        self.wants_upgrade = False

    @property
    def has_body(self) -> bool:
        """Tell whether the request carries a body."""
        return self.head.chunked or self.head.length > 0

    @property
    def repeatable(self) -> bool:
        """Tell whether it may be sent a second time although the first may have arrived."""
        return not self.has_body and not self.retried and self.method in IDEMPOTENT

    def header(self, name: bytes) -> bytes:
        """Return the value of a header (its name in lower case), or an empty one."""
        return next((value for key, value in self.headers if key.lower() == name), b"")


class Downstream(Protocol):
    """The client's connection, as the upstream one sees it."""

    transport: asyncio.Transport
    slow: bool

    def accepted(self) -> None:
        """The request's head was sent: its body may flow."""

    def hold_body(self) -> None:
        """The upstream takes no more for now."""

    def release_body(self) -> None:
        """The upstream takes more again."""

    def answered(self, request: Request, status: int, close: bool) -> None:
        """The answer is complete."""

    def upgraded(self, request: Request, upstream: asyncio.Transport, first: bytes) -> None:
        """The server agreed to another protocol; `first` is what it sent already, head included."""

    def broken(self, request: Request, status: int) -> None:
        """No usable answer comes; `status` is for an answer of the proxy's own, if nothing was sent yet."""

    def cut(self, request: Request, reset: bool) -> None:
        """The answer ends in its middle; with `reset`, closing alone would make it look complete."""

    def retry(self, request: Request) -> None:
        """A kept connection was closed before the request arrived: send it again on a new one."""
