"""What the command line can change about requests on their way in and about redirects on their way out."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from carrel.dataplane.exchange import Request
from carrel.dataplane.routes import Route
from carrel.dataplane.targets import Address

_HOST = b"Host: "
_FORWARDED = frozenset((b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-host"))
_MOVED = frozenset((201, 301, 302, 303, 307, 308))
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The changes that were asked for; those of a plain proxy by default."""

    #: Set in every request, in place of what the client sent under these names.
    headers: tuple[tuple[bytes, bytes], ...] = ()
    #: Add X-Forwarded-*; otherwise the client's own pass unchanged.
    forwarded: bool = True
    #: Send the part of the path that the route was found by.
    include_prefix: bool = True
    #: Name the target in the Host header.
    change_origin: bool = False
    #: Lead redirects that name the target back to the address that the client asked.
    auto_location: bool = False
    #: Put this scheme into redirects that name the target.
    location_protocol: str = ""
    #: A route's first segment is a host, not a part of the path.
    host_routing: bool = False

    @property
    def plain(self) -> bool:
        """Tell whether requests and answers pass as they are."""
        return self == Rewriting(host_routing=self.host_routing)

    def apply(self, request: Request, route: Route) -> None:
        """Change a request that is about to be forwarded along `route`, once."""
        lines = request.head.lines
        at = _host_at(lines)
        if self.auto_location or self.location_protocol:
            request.relocate = _Relocation(self, route.target.address, lines[at + 1]).apply
        if self.change_origin:
            lines[at + 1] = route.target.authority
        if not self.forwarded:
            sent = ((name, value) for name, value in request.headers if name.lower() in _FORWARDED)
            lines[at + 3 :] = [b"%b: %b\r\n" % pair for pair in sent]
        if self.headers:
            _set_headers(lines, self.headers)
        if not self.include_prefix:
            self._strip(request, route)

    def _strip(self, request: Request, route: Route) -> None:
        target = request.head.target
        if not target.startswith(b"/"):
            return
        request.original = target
        path, mark, query = target.partition(b"?")
        count = len(route.segments) - (self.host_routing and bool(route.segments))
        rest = b"".join(b"/" + segment for segment in path.split(b"/")[count + 1 :])
        if not rest and not route.target.prefix:
            rest = b"/"
        request.head.target = rest + mark + query


def host_of(request: Request) -> bytes:
    """Return the host that a request is for, in lower case and without its port."""
    lines = request.head.lines
    host = lines[_host_at(lines) + 1].lower()
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    return host.partition(b":")[0]


def _host_at(lines: list[bytes]) -> int:
    """Return where the Host line begins: it comes after every header of the client's."""
    return len(lines) - 1 - lines[::-1].index(_HOST)


def _set_headers(lines: list[bytes], headers: tuple[tuple[bytes, bytes], ...]) -> None:
    names = {name.lower() for name, _ in headers}
    at = 0
    while at < len(lines):
        if lines[at].lower() in names and lines[at + 1 : at + 2] == [b": "]:
            del lines[at : at + 4]
        elif lines[at] == _HOST and b"host" in names:
            del lines[at : at + 3]
        else:
            at += 4 if lines[at + 1 : at + 2] == [b": "] else 1
    lines += [b"%b: %b\r\n" % pair for pair in headers]


@dataclass(frozen=True, slots=True)
class _Relocation:
    rewriting: Rewriting
    address: Address
    host: bytes

    def apply(self, status: int, lines: list[bytes]) -> None:
        """Change the Location line among an answer: a status line, then four parts a header."""
        if status not in _MOVED:
            return
        for at in range(1, len(lines), 4):
            if lines[at].lower() == b"location":
                lines[at + 2] = self._moved(lines[at + 2])

    def _moved(self, location: bytes) -> bytes:
        try:
            url = urlsplit(location.decode("latin-1"))
            port = url.port or _PORTS.get(url.scheme)
        except ValueError:
            return location
        if url.scheme not in _PORTS or (url.hostname, port) != self.address[:2]:
            return location
        if self.rewriting.auto_location and self.host:
            url = url._replace(netloc=self.host.decode("latin-1"))
        if self.rewriting.location_protocol:
            url = url._replace(scheme=self.rewriting.location_protocol)
        return url.geturl().encode("latin-1")
