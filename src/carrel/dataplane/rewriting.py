"""What the command line can change about requests on their way in and about redirects on their way out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from carrel.dataplane.answer_head import AnswerHead
from carrel.dataplane.headers import fields
from carrel.dataplane.request import Request
from carrel.dataplane.routes import Route
from carrel.dataplane.targets import Target

_LOCATION = re.compile(rb"(?im)^(location:[ \t]*)([^\r]*)")
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
        sent = fields(request.block)
        if self.auto_location or self.location_protocol:
            request.relocate = _Relocation(self, route.target, request.host).apply
        if self.change_origin:
            sent = replaced(sent, (b"Host", route.target.authority))
        if not self.forwarded:
            sent = [pair for pair in sent if pair[0].lower() not in _FORWARDED]
            sent += [pair for pair in request.fields() if pair[0].lower() in _FORWARDED]
        for pair in self.headers:
            sent = replaced(sent, pair)
        request.block = b"".join(b"%b: %b\r\n" % pair for pair in sent)
        if not self.include_prefix:
            self._strip(request, route)

    def _strip(self, request: Request, route: Route) -> None:
        target = request.target
        if not target.startswith(b"/"):
            return
        request.original = target
        path, mark, query = target.partition(b"?")
        count = len(route.segments) - (self.host_routing and bool(route.segments))
        rest = b"".join(b"/" + segment for segment in path.split(b"/")[count + 1 :])
        if not rest and not route.target.prefix:
            rest = b"/"
        request.target = rest + mark + query


def host_of(request: Request) -> bytes:
    """Return the host that a request is for, in lower case, without its port and a dot at its end."""
    host = request.host.lower()
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    return host.partition(b":")[0].removesuffix(b".")


def replaced(sent: Iterable[tuple[bytes, bytes]], given: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return headers with this one in place of those of its name."""
    name = given[0].lower()
    return [*(pair for pair in sent if pair[0].lower() != name), given]


@dataclass(frozen=True, slots=True)
class _Relocation:
    rewriting: Rewriting
    target: Target
    host: bytes

    def apply(self, head: AnswerHead) -> None:
        """Change where an answer sends the client."""
        if head.status in _MOVED:
            head.block = _LOCATION.sub(lambda match: match[1] + self._moved(match[2]), head.block)
            head.verbatim = False

    def _moved(self, location: bytes) -> bytes:
        try:
            url = urlsplit(location.decode("latin-1"))
            port = url.port or _PORTS.get(url.scheme)
        except ValueError:
            return location
        named = (url.hostname, port)
        if url.scheme not in _PORTS or all(named != address[:2] for address in self.target.addresses):
            return location
        if self.rewriting.auto_location and self.host:
            url = url._replace(netloc=self.host.decode("latin-1"))
        if self.rewriting.location_protocol:
            url = url._replace(scheme=self.rewriting.location_protocol)
        return url.geturl().encode("latin-1")
