"""What both directions share of reading a head.

A head is read in one piece: a strict parser (llhttp) has found it well-formed, so its lines end with CRLF,
none is folded, and a name stands directly before its colon. What is special is then found by one search, and
the rest is passed on as it came.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from http import HTTPStatus

from carrel.dataplane.refusal import RefusedError

_OWN_TOKENS = frozenset((b"keep-alive", b"close", b"upgrade", b""))


def search_for(names: str) -> re.Pattern[bytes]:
    """Return what finds headers by their lower-case names, separated by spaces: pairs of name and value."""
    alternatives = "|".join(re.escape(name) for name in names.split())
    return re.compile(rb"\r\n(%b):[ \t]*([^\r]*)" % alternatives.encode(), re.IGNORECASE)


def collect(found: list[tuple[bytes, bytes]], once: Collection[bytes], status: int) -> dict[bytes, bytes]:
    """Return what was found by lower-case name, repeated ones joined by a comma.

    Raises RefusedError with `status` when one of those that may be given `once` is repeated.
    """
    values: dict[bytes, bytes] = {}
    for raw_name, value in found:
        name = raw_name.lower()
        if name not in values:
            values[name] = value.rstrip(b" \t")
        elif name in once:
            raise RefusedError(status, f"the header {raw_name.decode()} must be given once")
        else:
            values[name] += b"," + value.rstrip(b" \t")
    return values


def fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and values of header lines that end with CRLF each."""
    pairs = (line.partition(b":") for line in block.split(b"\r\n") if line)
    return [(name, value.strip(b" \t")) for name, _, value in pairs]


def without(block: bytes, names: Collection[bytes]) -> bytes:
    """Return header lines without those of these names, which are in lower case."""
    kept = (line for line in block.split(b"\r\n") if line and line.partition(b":")[0].lower() not in names)
    return b"".join(line + b"\r\n" for line in kept)


def tokens(connection: bytes) -> set[bytes]:
    """Return the lower-case elements of a list in a header."""
    return {token.strip(b" \t") for token in connection.lower().split(b",")}


def nominated(connection: bytes) -> set[bytes]:
    """Return the headers that a Connection header makes hop-by-hop."""
    return tokens(connection) - _OWN_TOKENS


def stays_open(version: bytes, connection: bytes) -> bool:
    """Tell whether another message may follow (RFC 9112, section 9.3)."""
    if not connection:
        return version == b"HTTP/1.1"
    said = tokens(connection)
    return b"close" not in said and (version == b"HTTP/1.1" or b"keep-alive" in said)


def read_length(digits: bytes, status: int) -> int:
    """Return a Content-Length; raise RefusedError with `status` unless it is decimal digits."""
    if not digits.isdigit() or len(digits) > 18:
        raise RefusedError(status, "Content-Length must be a decimal number")
    return int(digits)


@lru_cache(256)
def reason_of(status: int) -> bytes:
    """Return the usual reason phrase of a status, or an empty one."""
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
