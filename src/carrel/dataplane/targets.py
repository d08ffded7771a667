"""Where a route leads: the address of a server and the path put before a request's own."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

Address = tuple[str, int]


class BadTargetError(ValueError):
    """The text does not name a server that can be forwarded to."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server to forward to."""

    url: str
    address: Address
    prefix: bytes

    @property
    def authority(self) -> bytes:
        """Return `host:port` as a Host header has it."""
        host, port = self.address
        return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()


def parse_target(text: str) -> Target:
    """Return the target that an `http://host:port[/path]` URL names; raise BadTargetError otherwise."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadTargetError(f"target {text!r} is not a URL: {error}") from None
    if parts.scheme != "http" or not host or not text.isascii() or any(c <= " " for c in text):
        raise BadTargetError(f"target {text!r} must be a URL like http://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadTargetError(f"target {text!r} must hold no user, query or fragment")
    return Target(text, (host, port or 80), parts.path.rstrip("/").encode())
