"""Rules for the head of a request: what is forwarded, dropped, added or refused."""

from __future__ import annotations

import re

from carrel.dataplane.headers import (
    collect,
    nominated,
    read_length,
    search_for,
    stays_open,
    tokens,
    without,
)
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.request import Request

METHODS = frozenset(
    b"GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT "
    b"MKACTIVITY CHECKOUT MERGE MKCALENDAR PURGE LINK UNLINK BIND REBIND UNBIND ACL NOTIFY SUBSCRIBE "
    b"UNSUBSCRIBE".split()
)

_FORWARDED = "x-forwarded-for x-forwarded-port x-forwarded-proto x-forwarded-host"
_HOP_BY_HOP = "connection keep-alive proxy-connection te upgrade content-length transfer-encoding"
_SPECIAL = search_for(f"host {_HOP_BY_HOP} {_FORWARDED}")
_REPLACED = frozenset(f"host {_HOP_BY_HOP} {_FORWARDED}".encode().split())
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding"))

_BAD_IN_TARGET = bytes(range(0x21)) + b"#" + bytes(range(0x7F, 0x100))
_ABSOLUTE = re.compile(rb"[hH][tT][tT][pP][sS]?://([^/?]+)")
#: A name, an IPv4 address or an IPv6 one in brackets, with or without a port; an empty one is allowed.
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::[0-9]{0,5})?")
_PORT = re.compile(rb":(\d+)$")
_VERSIONS = frozenset((b"HTTP/1.1", b"HTTP/1.0"))
_HOST = frozenset((b"Host", b"host"))
#: Header lines in which nothing is special but the host, as they stand behind a request line, and that host.
_seen: dict[bytes, bytes] = {}
_MAX_SEEN = 1024
_MAX_SEEN_BYTES = 2048
_KEPT_ALIVE = frozenset(((b"Connection", b"keep-alive"), (b"connection", b"keep-alive")))


class Peer:
    """Who sent a request, as the forwarded headers tell it; made once for a connection."""

    __slots__ = ("address", "host", "lines", "scheme")

    def __init__(self, address: str, scheme: bytes = b"http") -> None:
        self.address = address.encode()
        self.scheme = scheme
        #: The last host that was asked for, and the X-Forwarded-* lines when no other proxy was before us.
        self.host: bytes | None = None
        self.lines = b""

    def asked(self, host: bytes) -> None:
        """Note the host that is asked for; raise RefusedError unless it is one."""
        if _AUTHORITY.fullmatch(host) is None:
            raise RefusedError(400, "the host must be a name or an address, with or without a port")
        self.host, self.lines = host, self.lines_behind({}, host)

    def lines_behind(self, found: dict[bytes, bytes], host: bytes) -> bytes:
        """Return what an earlier proxy said and, after a comma, what is seen here."""
        port = _PORT.search(host)
        number = port[1] if port else (b"443" if self.scheme == b"https" else b"80")
        return (
            b"X-Forwarded-For: %b\r\nX-Forwarded-Port: %b\r\n"
            b"X-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
            % (
                _appended(found.get(b"x-forwarded-for"), self.address),
                _appended(found.get(b"x-forwarded-port"), number),
                _appended(found.get(b"x-forwarded-proto"), self.scheme),
                found.get(b"x-forwarded-host", host),
            )
        )


def _appended(before: bytes | None, value: bytes) -> bytes:
    return before + b"," + value if before else value


def read_again(data: bytes, peer: Peer) -> Request | None:
    """Return the request that `data` is, if only its first line has to be read to know, else None.

    Browsers mostly send the same headers again: those of requests without a body, or anything else that is
    special about them, are remembered for a while.
    """
    end = data.find(b"\r\n")
    host = _seen.get(data[end:])
    if host is None:
        return None
    method, _, rest = data[:end].partition(b" ")
    target, _, version = rest.partition(b" ")
    if version != b"HTTP/1.1" or method not in METHODS or not target.startswith(b"/"):
        return None
    if len(target.translate(None, _BAD_IN_TARGET)) != len(target):
        return None
    if host != peer.host:
        peer.asked(host)
    request = Request(data, method, target, host, data[end + 2 : -2] + peer.lines)
    request.complete = True
    return request


def read_request(raw: bytes, peer: Peer) -> Request:
    """Return the request to forward; raise RefusedError when it is ambiguous or not for a server behind.

    `raw` is a well-formed head, from its request line to the empty line.
    """
    end = raw.find(b"\r\n")
    try:
        method, target, version = raw[:end].split(b" ")
    except ValueError:
        raise RefusedError(400, "it is not well-formed HTTP") from None
    if method not in METHODS:
        raise RefusedError(405, "this method is not supported")
    if version not in _VERSIONS:
        raise RefusedError(400, "the protocol must be HTTP/1.1 or HTTP/1.0")
    authority, target = _origin_form(method, target)
    special = _SPECIAL.findall(raw, end)
    request = Request(raw, method, target)
    request.http10 = version == b"HTTP/1.0"
    host = None if authority is not None or request.http10 else _only_host(special)
    if host is None:
        found = collect(special, _ONCE, 400)
        request.keep = stays_open(version, found.get(b"connection", b""))
        _read_special(request, raw[end + 2 : -2], found, authority, peer)
        return request
    if host != peer.host:
        peer.asked(host)
    request.host = host
    request.block = raw[end + 2 : -2] + peer.lines
    _remember(raw[end:], host)
    return request


def _remember(lines: bytes, host: bytes) -> None:
    if len(lines) <= _MAX_SEEN_BYTES:
        if len(_seen) >= _MAX_SEEN:
            _seen.clear()
        _seen[lines] = host


def _only_host(special: list[tuple[bytes, bytes]]) -> bytes | None:
    """Return the host when nothing special is there but it and perhaps `Connection: keep-alive`."""
    if len(special) == 2 and special[1] in _KEPT_ALIVE:
        del special[1]
    if len(special) == 1 and special[0][0] in _HOST:
        return special[0][1]
    return None


def _origin_form(method: bytes, target: bytes) -> tuple[bytes | None, bytes]:
    if len(target.translate(None, _BAD_IN_TARGET)) != len(target):
        raise RefusedError(400, "the target holds a character that must be escaped")
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return None, target
    match = _ABSOLUTE.match(target)
    if match is None:
        raise RefusedError(400, "the target must be a path")
    rest = target[match.end() :]
    return match[1], rest if rest.startswith(b"/") else b"/" + rest


def _read_special(
    request: Request, block: bytes, found: dict[bytes, bytes], authority: bytes | None, peer: Peer
) -> None:
    current = not request.http10
    connection = found.get(b"connection", b"")
    given = found.get(b"host")
    if given is None and current:
        raise RefusedError(400, "the header Host is missing")
    for host in (given or b"", authority or b""):
        peer.asked(host)
    # What is sent on is HTTP/1.1, which always names a host.
    request.host = authority or (b"localhost" if given is None else given)
    lines = [without(block, _REPLACED | nominated(connection))]
    _read_framing(request, found)
    if request.chunked:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif b"content-length" in found:
        lines.append(b"Content-Length: %d\r\n" % request.length)
    elif current and b"upgrade" in found and b"upgrade" in tokens(connection):
        protocol = found[b"upgrade"]
        # HTTP/2 in a tunnel would carry requests that nobody looks at.
        if b"h2c" not in tokens(protocol):
            request.protocol = protocol
            request.wants_upgrade = True
            request.keep = False
            lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % protocol)
    lines += (b"Host: ", request.host, b"\r\n", peer.lines_behind(found, request.host))
    request.block = b"".join(lines)


def _read_framing(request: Request, found: dict[bytes, bytes]) -> None:
    encoding = found.get(b"transfer-encoding")
    length = found.get(b"content-length")
    if encoding is not None:
        if encoding.lower() != b"chunked" or request.http10 or length is not None:
            raise RefusedError(400, "Transfer-Encoding must be 'chunked' alone, in HTTP/1.1")
        request.chunked = True
    elif length is not None:
        request.length = read_length(length, 400)
