"""Where a body ends: Content-Length and Transfer-Encoding that two parsers read differently."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.answers.cases import STATUS, Case, broken, clean, doubtful, refused
from tests.dataplane.corpus.cases import CHUNKS
from tests.dataplane.corpus.framing import (
    BAD_ENCODING_LINES,
    BAD_ENCODINGS,
    BAD_LENGTH_LINES,
    BAD_LENGTHS,
    GOOD_ENCODING_LINES,
    GOOD_LENGTHS,
    PLAIN_LINES,
)

#: Numbers that are one only after they have wrapped around, or that no server can mean.
HUGE_LENGTHS = (2**32 + 3, 2**53 + 3, 10**18 - 1)


def cases() -> Iterator[Case]:
    """Return the cases about the two framing headers."""
    yield from _lengths()
    yield from _encodings()
    yield from _both()


def _lengths() -> Iterator[Case]:
    lines = [b"Content-Length: " + value for value in BAD_LENGTHS] + list(BAD_LENGTH_LINES)
    for line in lines:
        yield refused("length", STATUS + line + b"\r\n\r\nabc", ends=True)
    for value in GOOD_LENGTHS:
        yield clean("good length", STATUS + b"Content-Length: " + value + b"\r\n\r\nabc", b"abc")
    for huge in HUGE_LENGTHS:
        yield broken("huge length", STATUS + b"Content-Length: %d\r\n\r\nabc" % huge)
    for line in PLAIN_LINES:
        yield clean("plain line", STATUS + line + b"\r\nContent-Length: 13\r\n\r\n" + CHUNKS, CHUNKS)
    yield clean("a length of nothing", STATUS + b"Content-Length: 0\r\n\r\n", b"")


def _encodings() -> Iterator[Case]:
    lines = [b"Transfer-Encoding: " + value for value in BAD_ENCODINGS] + list(BAD_ENCODING_LINES)
    for line in lines:
        yield refused("encoding", STATUS + line + b"\r\n\r\n" + CHUNKS, ends=True)
    for line in GOOD_ENCODING_LINES:
        yield clean("good encoding", STATUS + line + b"\r\n\r\n" + CHUNKS, b"abc")
        old = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + line + b"\r\n\r\n" + CHUNKS
        yield doubtful("encoding in 1.0", old, b"abc")


def _both() -> Iterator[Case]:
    for length in (b"0", b"3", b"5", b"13", b"1000"):
        for line in GOOD_ENCODING_LINES[:2]:
            number = b"Content-Length: " + length + b"\r\n"
            yield refused("length, encoding", STATUS + number + line + b"\r\n\r\n" + CHUNKS)
            yield refused("encoding, length", STATUS + line + b"\r\n" + number + b"\r\n" + CHUNKS)
    for status in (b"204 No Content", b"304 Not Modified"):
        head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield doubtful("both without a body", head, b"", int(status[:3]))
