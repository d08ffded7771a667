"""What a case is: raw bytes, and which requests they clearly hold.

`MARK` in the bytes stands for the case's own mark, `%LENGTH%` and `%SIZE%` for the size of a hidden request.
A follow-up request is sent right behind every case, so that a body that is cut wrongly, or a request that
hides in one, shows at the server.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: h\r\n"
PATH = b"/user/u/MARK.first"
GET = b"GET " + PATH + b" HTTP/1.1\r\n" + HOST
POST = b"POST " + PATH + b" HTTP/1.1\r\n" + HOST
#: A whole request that no server may ever see.
HIDDEN = b"GET /user/u/MARK.hidden HTTP/1.1\r\nHost: h\r\n\r\n"
FOLLOW = b"GET /user/u/MARK.follow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """A request that the bytes hold beyond doubt."""

    name: str = "first"
    body: bytes = b""
    method: str = "GET"


@dataclass(frozen=True)
class Case:
    """Bytes to send; the server may see `calls`, in this order, and then nothing or the follow-up.

    `refused`: the proxy itself has to answer with an error, and the follow-up is part of what is in doubt,
    unless the case is `clear`.
    `ends`: the connection closes in an orderly way before the follow-up.
    """

    name: str
    raw: bytes
    calls: tuple[Call, ...] = ()
    refused: bool = False
    clear: bool = False
    ends: bool = False

    @property
    def follows(self) -> bool:
        """Tell whether the follow-up has to arrive."""
        return self.clear or not (self.refused or self.ends)

    def marked(self, mark: str) -> bytes:
        """Return the bytes to send, with the case's mark in them and the follow-up behind."""
        raw = (self.raw + FOLLOW).replace(b"MARK", mark.encode())
        size = len(hidden(mark))
        return raw.replace(b"%LENGTH%", b"%d" % size).replace(b"%SIZE%", b"%x" % size)


def hidden(mark: str) -> bytes:
    """Return the request that hides in a body."""
    return HIDDEN.replace(b"MARK", mark.encode())


def refused(name: str, raw: bytes, *calls: Call) -> Case:
    """Return a case that has to be refused, after `calls` that stand before what is in doubt."""
    return Case(f"{name}: {raw!r}", raw, calls, refused=True)


def served(name: str, raw: bytes, *calls: Call) -> Case:
    """Return a case that is clear: all of `calls` and the follow-up arrive."""
    return Case(f"{name}: {raw!r}", raw, calls)


def declined(name: str, raw: bytes) -> Case:
    """Return a case that is clear and refused by itself: the follow-up arrives."""
    return Case(f"{name}: {raw!r}", raw, refused=True, clear=True)


def ending(name: str, raw: bytes, *calls: Call) -> Case:
    """Return a case that is clear, but whose connection does not live on to the follow-up."""
    return Case(f"{name}: {raw!r}", raw, calls, ends=True)
