"""One request, from the moment its head is complete until its answer is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache

from carrel.dataplane.answer_head import AnswerHead
from carrel.dataplane.headers import fields
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.routes import Route

IDEMPOTENT = frozenset(b"GET HEAD OPTIONS PUT DELETE PROPFIND REPORT SEARCH".split())

#: May be sent to a second server although the first may have done what it asks.
_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class Request:
    """What a client asks for, ready to be sent on, and how far it has come."""

    # Most requests keep most of these: a default of the class costs nothing.
    #: How long its body is, when that is known.
    length = 0
    chunked = False
    #: What an upgrade leads to.
    protocol = b""
    wants_upgrade = False
    http10 = False
    #: The connection stays for another request.
    keep = True
    #: The target that the client asked for, when another one is sent on.
    original = b""
    #: Changes the head of an answer.
    relocate: Callable[[AnswerHead], None] | None = None
    refusal: RefusedError | None = None
    route: Route | None = None
    sink: asyncio.WriteTransport | None = None
    #: How much of a body of known length is still to come.
    left = 0
    #: When the last byte came or went; minded only with a time limit on silence.
    moved = 0.0
    complete = False
    responded = False
    retried = False
    #: Something of its body has come.
    sent = False

    def __init__(
        self, raw: bytes, method: bytes, target: bytes, host: bytes = b"", block: bytes = b""
    ) -> None:
        #: The head as it came.
        self.raw = raw
        self.method = method
        self.target = target
        self.path = target.partition(b"?")[0]
        self.host = host
        #: The header lines to send on, each with its CRLF.
        self.block = block
        #: What has come of its body and was not sent on yet.
        self.body: list[bytes] = []

    @property
    def has_body(self) -> bool:
        """Tell whether the request carries a body."""
        return self.chunked or self.length > 0

    @property
    def repeatable(self) -> bool:
        """Tell whether it may be sent a second time although the first may have arrived."""
        return not self.has_body and not self.retried and self.method in IDEMPOTENT

    @property
    def may_move(self) -> bool:
        """Tell whether it may be sent to another address after the first took it and went away."""
        if self.route is None or not self.route.target.others or self.wants_upgrade:
            return False
        return self.repeatable and self.method in _SAFE

    def header(self, name: bytes) -> bytes:
        """Return the value of a header (its name in lower case), or an empty one."""
        match = _finder(name).search(self.raw)
        return match[1].rstrip(b" \t") if match else b""

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the names and values of all headers that the client sent."""
        return fields(self.raw.partition(b"\r\n")[2])


@lru_cache(64)
def _finder(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\r\n%b:[ \t]*([^\r]*)" % re.escape(name), re.IGNORECASE)
