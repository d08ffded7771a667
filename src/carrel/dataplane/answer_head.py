"""Rules for the head of an answer: what is passed on, dropped or refused, and how its body ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from carrel.dataplane.headers import (
    collect,
    nominated,
    read_length,
    reason_of,
    search_for,
    stays_open,
    without,
)
from carrel.dataplane.refusal import RefusedError

#: Answers that have no body, whatever their head says; so have interim ones, and those to HEAD.
BODILESS = frozenset((204, 304))

_HOP_BY_HOP = "connection keep-alive proxy-connection te upgrade content-length transfer-encoding"
_SPECIAL = search_for(_HOP_BY_HOP)
_REPLACED = frozenset(_HOP_BY_HOP.encode().split())
_ONCE = frozenset((b"content-length", b"transfer-encoding"))
_LENGTH = frozenset((b"Content-Length", b"content-length"))
_ZERO = ord("0")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class AnswerHead:
    """The head of an answer, and what it says of its body."""

    #: -1 when it does not say.
    length = -1
    chunked = False
    protocol = b""
    #: Another answer may follow on its connection.
    keep = True
    #: It may be passed on as it came: it says how long the body is, and nothing of the connection.
    verbatim = False
    #: The headers in it that are not simply passed on, unless there is nothing but its length.
    special: Mapping[bytes, bytes] = MappingProxyType({})

    def __init__(self, status: int, line: bytes, block: bytes) -> None:
        self.status = status
        #: Its first line, as it is passed on.
        self.line = line
        #: Its header lines, each with its CRLF.
        self.block = block

    def passed_on(self) -> bytes:
        """Return its header lines without those about framing and the connection."""
        return without(self.block, _REPLACED | nominated(self.special.get(b"connection", b"")))


def read_answer(data: bytes, size: int) -> AnswerHead:
    """Return the head to pass on; raise RefusedError when it could be read in two ways.

    It is the first `size` bytes of `data`, well-formed from its status line to the empty line.
    """
    end = data.find(b"\r\n") + 2
    line = data[:end]
    status, passed = _status(line)
    head = AnswerHead(status, passed, data[end : size - 2])
    special = _SPECIAL.findall(data, end - 2, size - 2)
    if len(special) == 1 and special[0][0] in _LENGTH and special[0][1].isdigit():
        digits = special[0][1]
        head.length = read_length(digits, 502)
        head.verbatim = passed == line and (digits[0] != _ZERO or digits == b"0")
        head.keep = line.startswith(b"HTTP/1.1")
    else:
        head.special = collect(special, _ONCE, 502)
        _read_special(head, head.special)
        # Some would take what comes behind chunks in HTTP/1.0 for a part of the body.
        chunked_in_1_0 = head.chunked and line.startswith(b"HTTP/1.0")
        head.keep = not chunked_in_1_0 and stays_open(line[:8], head.special.get(b"connection", b""))
    return head


def _read_special(head: AnswerHead, special: Mapping[bytes, bytes]) -> None:
    head.protocol = special.get(b"upgrade", b"")
    length, encoding = special.get(b"content-length"), special.get(b"transfer-encoding")
    if encoding is not None:
        if encoding.lower() != b"chunked":
            raise RefusedError(502, "unknown transfer encoding")
        if length is not None:
            raise RefusedError(502, "ambiguous length")
        head.chunked = True
    elif length is not None:
        head.length = read_length(length, 502)


@lru_cache(256)
def _status(line: bytes) -> tuple[int, bytes]:
    """Return the status and the line to pass on."""
    version, _, rest = line[:-2].partition(b" ")
    digits, _, reason = rest.partition(b" ")
    known = version in (b"HTTP/1.1", b"HTTP/1.0")
    if not known or len(digits) != 3 or not b"100" <= digits <= b"999" or _CONTROL.search(reason):
        raise RefusedError(502, "malformed status line")
    status = int(digits)
    return status, b"HTTP/1.1 %d %b\r\n" % (status, reason or reason_of(status))
