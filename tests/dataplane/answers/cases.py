"""What a case is: the raw bytes that a server sends for an answer, and what a client may get of them.

`MARK` in the bytes stands for the case's own mark.
"""

from __future__ import annotations

from dataclasses import dataclass

STATUS = b"HTTP/1.1 200 OK\r\n"
CHUNKED = STATUS + b"Transfer-Encoding: chunked\r\n\r\n"
OK = STATUS + b"Content-Length: 2\r\n\r\nok"
#: A whole answer that no client may ever see.
EVIL = b"HTTP/1.1 200 OK\r\nX-Evil: evil\r\nContent-Length: 4\r\n\r\nevil"

#: What can become of an answer: it arrives; the client gets a 502; it stops in its middle, for all to see.
WHOLE, REFUSED, BROKEN = "whole", "502", "broken"

#: Fields that say where a message ends, where it goes, what may be done or how it is to be read, and those of
#: one connection: behind a body it is too late for them.
FORBIDDEN_TRAILERS = frozenset(
    b"content-length transfer-encoding host connection keep-alive proxy-connection te trailer upgrade "
    b"set-cookie cookie authorization proxy-authorization www-authenticate proxy-authenticate "
    b"content-encoding content-type content-range".split()
)


@dataclass(frozen=True)
class Case:
    """What a server sends. One that `ends` closes the connection behind it.

    `fates` are what may become of it; where it arrives, it is `status` with `body`.
    After one that is `clean`, and no other, the connection to the server may carry another request.
    """

    name: str
    raw: bytes
    fates: frozenset[str]
    status: int = 200
    body: bytes = b""
    clean: bool = False
    ends: bool = False
    method: str = "GET"

    def marked(self, mark: str) -> bytes:
        """Return the bytes to send, with the case's mark in them."""
        return self.raw.replace(b"MARK", mark.encode())


def clean(name: str, raw: bytes, body: bytes = b"ok", status: int = 200, method: str = "GET") -> Case:
    """Return a case that is an answer beyond doubt, and nothing else."""
    return Case(_named(name, raw), raw, frozenset((WHOLE,)), status, body, clean=True, method=method)


def last(name: str, raw: bytes, body: bytes = b"ok", status: int = 200, method: str = "GET") -> Case:
    """Return a case that is an answer beyond doubt, behind which the connection must not be used."""
    return Case(_named(name, raw), raw, frozenset((WHOLE,)), status, body, method=method)


def ended(name: str, raw: bytes, body: bytes = b"ok", status: int = 200) -> Case:
    """Return a case that is an answer beyond doubt once the server has closed."""
    return Case(_named(name, raw), raw, frozenset((WHOLE,)), status, body, ends=True)


def refused(name: str, raw: bytes, *, ends: bool = False, method: str = "GET") -> Case:
    """Return a case of which the client gets nothing."""
    return Case(_named(name, raw), raw, frozenset((REFUSED,)), ends=ends, method=method)


def broken(name: str, raw: bytes, *, ends: bool = True) -> Case:
    """Return a case that goes wrong behind its head."""
    return Case(_named(name, raw), raw, frozenset((REFUSED, BROKEN)), ends=ends)


def doubtful(name: str, raw: bytes, body: bytes = b"ok", status: int = 200, *, ends: bool = False) -> Case:
    """Return a case that may arrive in this one reading, or not at all."""
    return Case(_named(name, raw), raw, frozenset((WHOLE, REFUSED, BROKEN)), status, body, ends=ends)


def _named(name: str, raw: bytes) -> str:
    return f"{name}: {raw[:300]!r}"
