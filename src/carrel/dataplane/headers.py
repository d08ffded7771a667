"""Header rules: what is forwarded, dropped, added or refused, for requests and for answers.

A strict parser has already refused bare LF, folded lines, CL with TE and repeated or malformed lengths.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]

METHODS = frozenset(
    b"GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT "
    b"MKACTIVITY CHECKOUT MERGE MKCALENDAR PURGE LINK UNLINK BIND REBIND UNBIND ACL NOTIFY SUBSCRIBE "
    b"UNSUBSCRIBE".split()
)
IDEMPOTENT = frozenset(b"GET HEAD OPTIONS PUT DELETE PROPFIND REPORT SEARCH".split())
BODILESS = frozenset((204, 304))

_BAD_TARGET = re.compile(rb"[\x00-\x20\x7f-\xff#]")
_ABSOLUTE = re.compile(rb"[hH][tT][tT][pP][sS]?://([^/?]+)")
#: A name, an IPv4 address or an IPv6 one in brackets, with or without a port; an empty one is allowed.
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::[0-9]{0,5})?")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PORT = re.compile(rb":(\d+)$")


# Headers that are not simply passed on; 0 is one that is.
(_HOP, _CONNECTION, _LENGTH, _ENCODING, _UPGRADE, _HOST, _X_FOR, _X_PORT, _X_PROTO, _X_HOST) = range(1, 11)

_ANSWER_KINDS = {
    b"keep-alive": _HOP,
    b"proxy-connection": _HOP,
    b"te": _HOP,
    b"trailer": _HOP,
    b"connection": _CONNECTION,
    b"content-length": _LENGTH,
    b"transfer-encoding": _ENCODING,
    b"upgrade": _UPGRADE,
}
_REQUEST_KINDS = _ANSWER_KINDS | {
    b"host": _HOST,
    b"x-forwarded-for": _X_FOR,
    b"x-forwarded-port": _X_PORT,
    b"x-forwarded-proto": _X_PROTO,
    b"x-forwarded-host": _X_HOST,
}
_OWN_TOKENS = frozenset((b"keep-alive", b"close", b"upgrade", b""))
_FORWARDED = frozenset((_X_FOR, _X_PORT, _X_PROTO, _X_HOST))
_ONCE = frozenset((_HOST, _LENGTH, _ENCODING))


@lru_cache(4096)
def _request_kind(name: bytes) -> int:
    return _REQUEST_KINDS.get(name.lower(), 0)


@lru_cache(4096)
def _answer_kind(name: bytes) -> int:
    return _ANSWER_KINDS.get(name.lower(), 0)


class RefusedError(Exception):
    """A request that must not be forwarded."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Peer:
    """Who sent a request, as the forwarded headers tell it; made once for a connection."""

    __slots__ = ("_host", "_lines", "address", "scheme")

    def __init__(self, address: str, scheme: bytes = b"http") -> None:
        self.address = address.encode()
        self.scheme = scheme
        self._host: bytes | None = None
        self._lines = b""

    def lines(self, found: dict[int, bytes], host: bytes) -> bytes:
        """Return the X-Forwarded-* lines: what an earlier proxy said, and after a comma what is seen here."""
        if not _FORWARDED.isdisjoint(found):
            return self._build(found, host)
        if host != self._host:
            self._host, self._lines = host, self._build({}, host)
        return self._lines

    def _build(self, found: dict[int, bytes], host: bytes) -> bytes:
        port = _PORT.search(host)
        number = port[1] if port else (b"443" if self.scheme == b"https" else b"80")
        return (
            b"X-Forwarded-For: %b\r\nX-Forwarded-Port: %b\r\n"
            b"X-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
            % (
                _appended(found.get(_X_FOR), self.address),
                _appended(found.get(_X_PORT), number),
                _appended(found.get(_X_PROTO), self.scheme),
                found.get(_X_HOST, host),
            )
        )


def _appended(before: bytes | None, value: bytes) -> bytes:
    return before + b"," + value if before else value


class RequestHead:
    """The head of a request, ready to be sent on behind its request line."""

    __slots__ = ("chunked", "length", "lines", "path", "protocol", "target")

    def __init__(self, target: bytes) -> None:
        self.target = target
        self.path = target.partition(b"?")[0]
        self.lines: list[bytes] = []
        self.length = 0
        self.chunked = False
        self.protocol = b""


def read_request(method: bytes, target: bytes, headers: Headers, version: str, peer: Peer) -> RequestHead:
    """Return the head to forward; raise RefusedError when it is ambiguous or not for a server behind."""
    if method not in METHODS:
        raise RefusedError(405, "this method is not supported")
    if version not in ("1.1", "1.0"):
        raise RefusedError(400, "the protocol must be HTTP/1.1 or HTTP/1.0")
    authority, target = _origin_form(method, target)
    head = RequestHead(target)
    found: dict[int, bytes] = {}
    add = head.lines.extend
    for name, value in headers:
        kind = _request_kind(name)
        if not kind:
            add((name, b": ", value, b"\r\n"))
        elif kind not in found:
            found[kind] = value
        elif kind in _ONCE:
            raise RefusedError(400, f"the header {name.decode()} must be given once")
        else:
            found[kind] += b"," + value
    host = _host(authority, found, version)
    if _CONNECTION in found:
        _read_connection(head, found, version, headers)
    _read_framing(head, found, version)
    add((b"Host: ", host, b"\r\n", peer.lines(found, host)))
    return head


def _origin_form(method: bytes, target: bytes) -> tuple[bytes | None, bytes]:
    if _BAD_TARGET.search(target):
        raise RefusedError(400, "the target holds a character that must be escaped")
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return None, target
    match = _ABSOLUTE.match(target)
    if match is None:
        raise RefusedError(400, "the target must be a path")
    rest = target[match.end() :]
    return match[1], rest if rest.startswith(b"/") else b"/" + rest


def _host(authority: bytes | None, found: dict[int, bytes], version: str) -> bytes:
    given = found.get(_HOST)
    if given is None and version == "1.1":
        raise RefusedError(400, "the header Host is missing")
    for host in (given or b"", authority or b""):
        if _AUTHORITY.fullmatch(host.rstrip(b" \t")) is None:
            raise RefusedError(400, "the host must be a name or an address, with or without a port")
    # What is sent on is HTTP/1.1, which always names a host.
    return authority or (b"localhost" if given is None else given.rstrip(b" \t"))


def _read_framing(head: RequestHead, found: dict[int, bytes], version: str) -> None:
    encoding = found.get(_ENCODING)
    length = found.get(_LENGTH)
    if encoding is not None:
        if encoding.rstrip(b" \t").lower() != b"chunked" or version != "1.1" or length is not None:
            raise RefusedError(400, "Transfer-Encoding must be 'chunked' alone, in HTTP/1.1")
        head.chunked = True
        head.lines.append(b"Transfer-Encoding: chunked\r\n")
    elif length is not None:
        head.length = read_length(length)
        head.lines.append(b"Content-Length: %d\r\n" % head.length)


def read_length(value: bytes, status: int = 400) -> int:
    """Return a Content-Length; raise RefusedError with `status` unless it is decimal digits."""
    digits = value.rstrip(b" \t")
    if not digits.isdigit() or len(digits) > 18:
        raise RefusedError(status, "Content-Length must be a decimal number")
    return int(digits)


def _tokens(connection: bytes) -> set[bytes]:
    return {token.strip() for token in connection.lower().split(b",")}


def _plain_lines(headers: Headers, kind_of: Callable[[bytes], int], nominated: set[bytes]) -> list[bytes]:
    kept = ((n, v) for n, v in headers if not kind_of(n) and n.lower() not in nominated)
    return [part for name, value in kept for part in (name, b": ", value, b"\r\n")]


def _read_connection(head: RequestHead, found: dict[int, bytes], version: str, headers: Headers) -> None:
    if found[_CONNECTION].lower() == b"keep-alive":
        return
    tokens = _tokens(found[_CONNECTION])
    if tokens - _OWN_TOKENS:
        head.lines[:] = _plain_lines(headers, _request_kind, tokens)
    bodiless = not found.keys() & {_ENCODING, _LENGTH}
    # HTTP/2 in a tunnel would carry requests that nobody looks at.
    clear = b"h2c" not in _tokens(found.get(_UPGRADE, b""))
    if b"upgrade" in tokens and _UPGRADE in found and version == "1.1" and bodiless and clear:
        head.protocol = found[_UPGRADE]
        head.lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % head.protocol)


class AnswerHead:
    """The head of an answer: the lines to pass on, and how its body ends."""

    __slots__ = ("chunked", "length", "lines", "protocol")

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.length = -1
        self.chunked = False
        self.protocol = b""


def read_answer(status: int, reason: bytes, headers: Headers) -> AnswerHead:
    """Return the head to pass on, without framing; raise RefusedError when it could be read in two ways."""
    head = _answer_head(status, reason)
    add = head.lines.extend
    connection = b""
    for name, value in headers:
        kind = _answer_kind(name)
        if not kind:
            add((name, b": ", value, b"\r\n"))
        elif kind == _LENGTH:
            if head.length >= 0:
                raise RefusedError(502, "ambiguous length")
            head.length = read_length(value, 502)
        elif kind == _ENCODING:
            if value.rstrip(b" \t").lower() != b"chunked" or head.chunked:
                raise RefusedError(502, "unknown transfer encoding")
            head.chunked = True
        elif kind == _UPGRADE:
            head.protocol = value
        elif kind == _CONNECTION:
            connection += b"," + value
    if connection:
        _drop_nominated(head, connection, headers)
    return head


def _answer_head(status: int, reason: bytes) -> AnswerHead:
    if status < 100 or _CONTROL.search(reason):
        raise RefusedError(502, "malformed status line")
    return AnswerHead([b"HTTP/1.1 %d %b\r\n" % (status, reason or reason_of(status))])


def _drop_nominated(head: AnswerHead, connection: bytes, headers: Headers) -> None:
    nominated = _tokens(connection) - _OWN_TOKENS
    if nominated:
        head.lines[1:] = _plain_lines(headers, _answer_kind, nominated)


def reason_of(status: int) -> bytes:
    """Return the usual reason phrase of a status, or an empty one."""
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
