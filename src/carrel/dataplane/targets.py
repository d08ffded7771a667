"""Where a route leads: the address of a server and the path put before a request's own."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_PORTS = {"http": 80, "https": 443, "http+unix": 0}
#: How many alternatives a route may have.
_MOST = 16


class BadTargetError(ValueError):
    """The text does not name a server that can be forwarded to."""


class Address(NamedTuple):
    """Where a server listens: host and port, or a Unix socket's path alone."""

    host: str
    port: int
    tls: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A server to forward to."""

    url: str
    address: Address
    prefix: bytes
    #: Where else the same is served, see `alternatives`.
    others: tuple[Address, ...] = ()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Return every address, the first choice first."""
        return (self.address, *self.others)

    @property
    def authority(self) -> bytes:
        """Return `host:port` as a Host header has it; a Unix socket's is `localhost`."""
        host, port, _, path = self.address
        if path:
            return b"localhost"
        return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()

    def without_path(self) -> Target:
        """Return the same server with nothing put before a request's path."""
        return replace(self, prefix=b"")


def parse_target(text: str) -> Target:
    """Return the target that a URL names; raise BadTargetError otherwise.

    It is `http://host:port[/path]`, the same with `https`, or `http+unix://%2Fsocket[/path]` with the escaped
    path of a Unix socket as the host.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadTargetError(f"target {text!r} is not a URL: {error}") from None
    if parts.scheme not in _PORTS or not host or not text.isascii() or any(c <= " " for c in text):
        raise BadTargetError(f"target {text!r} must be a URL like http://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadTargetError(f"target {text!r} must hold no user, query or fragment")
    prefix = parts.path.rstrip("/").encode()
    if parts.scheme == "http+unix":
        return Target(text, _socket(text, parts.netloc), prefix)
    # Thousands of routes lead to a few hosts.
    host = sys.intern(host)
    return Target(text, Address(host, port or _PORTS[parts.scheme], parts.scheme == "https"), prefix)


def with_alternatives(target: Target, urls: object) -> Target:
    """Return the target with the addresses that these URLs name; raise BadTargetError for anything else.

    They have the target's own path: a request is the same wherever it goes.
    """
    if not isinstance(urls, list) or len(urls) > _MOST or not all(isinstance(url, str) for url in urls):
        raise BadTargetError(f"'alternatives' must be a list of at most {_MOST} URLs")
    others = [parse_target(url) for url in urls]
    for other in others:
        if other.prefix != target.prefix:
            raise BadTargetError(f"alternative {other.url!r} must have the path of the target {target.url!r}")
    addresses = dict.fromkeys(other.address for other in others)
    addresses.pop(target.address, None)
    return replace(target, others=tuple(addresses))


def _socket(text: str, netloc: str) -> Address:
    path = unquote(netloc)
    if not path.startswith("/") or "\0" in path:
        raise BadTargetError(f"target {text!r} must hold a socket's path, like http+unix://%2Frun%2Fs.sock")
    return Address("", 0, path=path)
