"""Answers before the answer: 1xx, asked for or not."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.answers.cases import EVIL, OK, STATUS, Case, clean, doubtful, last, refused

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
UPGRADE = b"Connection: upgrade\r\nUpgrade: x\r\n"


def cases() -> Iterator[Case]:
    """Return the cases about interim answers."""
    for interim in (
        CONTINUE,
        b"HTTP/1.1 102 Processing\r\n\r\n",
        HINTS,
        b"HTTP/1.1 199 X\r\n\r\n",
        CONTINUE + HINTS,
    ):
        yield clean("one before", interim + OK)
        yield last("one before, one behind", interim + OK + EVIL)
        yield refused("one alone", interim, ends=True)
        yield refused("one and noise", interim + b"evil", ends=True)
        yield refused("one and half of another", interim + STATUS, ends=True)
        yield refused("one and a bad answer", interim + STATUS + b"Content-Length: x\r\n\r\n")
    yield clean("some", CONTINUE * 5 + OK)
    for count in (50, 2000):
        yield doubtful("many", CONTINUE * count + OK)
        yield refused("many alone", HINTS * count, ends=True)
    yield from _framed()
    yield from _upgrades()


def _framed() -> Iterator[Case]:
    """Return interim answers with a body, which they never have."""
    for line in (b"Content-Length: 4", b"Content-Length: 0", b"Transfer-Encoding: chunked"):
        head = b"HTTP/1.1 100 Continue\r\n" + line + b"\r\n\r\n"
        yield doubtful("one with framing", head + OK)
        yield refused("one with a body", head + b"4\r\nevil\r\n0\r\n\r\n" + OK, ends=True)
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield refused("one with both", b"HTTP/1.1 100 Continue\r\n" + both + OK)
    yield refused(
        "one with two lengths", b"HTTP/1.1 100 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + OK
    )
    yield refused("one with a bad name", b"HTTP/1.1 100 X\r\nX : y\r\n\r\n" + OK)
    yield refused("one with a fold", b"HTTP/1.1 100 X\r\nX: y\r\n z\r\n\r\n" + OK)
    yield refused("one in another version", b"HTTP/2.0 100 X\r\n\r\n" + OK)
    yield doubtful("one that closes", b"HTTP/1.1 100 X\r\nConnection: close\r\n\r\n" + OK)
    yield doubtful("an old one", b"HTTP/1.0 100 X\r\n\r\n" + OK)
    yield clean("one that nominates", b"HTTP/1.1 103 X\r\nConnection: Content-Length\r\nX: y\r\n\r\n" + OK)


def _upgrades() -> Iterator[Case]:
    """Return changes of protocol that nobody asked for."""
    switching = b"HTTP/1.1 101 Go\r\n"
    for lines in (UPGRADE, b"", b"Upgrade: x\r\n", b"Connection: upgrade\r\n", b"Content-Length: 4\r\n"):
        yield refused("unasked", switching + lines + b"\r\nevil", ends=True)
        yield refused("unasked, then an answer", switching + lines + b"\r\n" + OK, ends=True)
        yield refused("unasked behind one", CONTINUE + switching + lines + b"\r\n" + OK, ends=True)
    for status in (b"200 OK", b"426 Upgrade Required"):
        offer = b"HTTP/1.1 " + status + b"\r\n" + UPGRADE + b"Content-Length: 2\r\n\r\nok"
        yield doubtful("an offer", offer, b"ok", int(status[:3]))
        yield doubtful("an offer, then more", offer + EVIL, b"ok", int(status[:3]))
