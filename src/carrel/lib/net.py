"""Ports and addresses."""

from __future__ import annotations

import socket

_ANY = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
#: What people write for "at all addresses of this machine".
EVERYWHERE = frozenset(_ANY)


def free_port(ip: str = "") -> int:
    """Return a TCP port that nothing listens on at `ip` (empty: at any IPv4 address) just now.

    Nothing reserves it: use it soon, and be ready to fail. Raises OSError when `ip` is not this machine's.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("" if ip == "*" else ip, 0))
        return int(probe.getsockname()[1])


def reachable(ip: str) -> str:
    """Return where this machine reaches what listens at `ip`: loopback when that means all addresses."""
    return _ANY.get(ip, ip)


def own_name() -> str:
    """Return what other machines and containers call this one; loopback when its name cannot be resolved.

    Asks the resolver: not for an event loop.
    """
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return "127.0.0.1"
    return name


def join_host(ip: str, port: int) -> str:
    """Return `ip:port` as URLs write it, with brackets around an IPv6 address."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
