"""Ports and addresses."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

_ANY = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
#: What people write for "at all addresses of this machine".
EVERYWHERE = frozenset(_ANY)
_LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Below are those that services have names for.
_FIRST_UNLENT = 20000
#: Fewer would soon be used up.
_FEW = 1000


def free_port(ip: str = "") -> int:
    """Return a TCP port that nothing listens on at `ip` (empty: at any IPv4 address) just now.

    Nothing reserves it: use it soon, and be ready to fail. Raises OSError when `ip` is not this machine's.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("" if ip == "*" else ip, 0))
        return int(probe.getsockname()[1])


def is_free(ip: str, port: int) -> bool:
    """Tell whether something can listen at a port of `ip` (empty: of any IPv4 address) just now.

    Raises OSError when `ip` is not this machine's.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("" if ip == "*" else ip, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def unlent_ports() -> range:
    """Return ports that the kernel lends to no connection and to nobody who asks for any free one.

    Empty where it lends nearly all of those that need no rights.
    """
    try:
        lowest, highest = map(int, _LENT.read_text().split())
    except (OSError, ValueError):
        return range(0)
    below, above = range(_FIRST_UNLENT, lowest), range(highest + 1, 2**16)
    return max(below, above, key=len) if max(len(below), len(above)) >= _FEW else range(0)


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
