"""Who listens on this machine's TCP ports, as far as /proc shows."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

from carrel.lib.net import is_free
from carrel.lib.process_table import running

_PROC = Path("/proc")
_TABLES = ("net/tcp", "net/tcp6")
_LISTEN = "0A"
_LOOPBACK = ("127.0.0.1", "::1")
_WORD = 8
_SOCKET = re.compile(r"socket:\[(\d+)\]")

_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Listener:
    """One process that takes connections on a port."""

    pid: int
    port: int
    program: str


class Socket(NamedTuple):
    """A listening socket, as the kernel's table has it."""

    inode: str
    address: str
    """In hexadecimal, in words of the machine."""
    port: int
    uid: int


def listeners() -> list[Listener]:
    """Return who listens where: only processes that we may look into; empty without /proc."""
    ports = {each.inode: each.port for each in _listening()}
    found = []
    for pid in running() if ports else []:
        for inode in _sockets_of(pid) & ports.keys():
            found.append(Listener(pid, ports[inode], _program(pid)))
    return found


def owners_at(ip: str, port: int) -> frozenset[int]:
    """Return the uids of those who take connections to a port at an address of this machine.

    Needs no rights. Empty when nobody does or that cannot be told: another machine's address, a name.
    """
    listening = [(_address_in(each.address), each.uid) for each in _listening() if each.port == port]
    addresses = [_address(each) for each in (_LOOPBACK if ip == "localhost" else (ip,))]
    return frozenset(uid for each in addresses if each is not None for uid in _owners(each, listening))


def _owners(wanted: _Address, listening: list[tuple[_Address, int]]) -> set[int]:
    exact = {uid for at, uid in listening if at == wanted}
    # Everybody's address counts only where it means the wanted one, too.
    if exact or not (wanted.is_loopback or _is_ours(wanted)):
        return exact
    same = {uid for at, uid in listening if at.is_unspecified and at.version == wanted.version}
    # A socket of IPv6 takes connections of IPv4 where no other does.
    return same or {uid for at, uid in listening if at.is_unspecified and at.version == 6}


def _is_ours(address: _Address) -> bool:
    try:
        return is_free(str(address), 0)
    except OSError:
        return False


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _address_in(text: str) -> _Address:
    """Return an address as the kernel's table writes it: words of four bytes, each in the machine's order."""
    words = [int(text[at : at + _WORD], 16) for at in range(0, len(text), _WORD)]
    raw = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    address = ipaddress.ip_address(raw)
    return getattr(address, "ipv4_mapped", None) or address


def shares_network(pid: int) -> bool:
    """Tell whether a process has this one's network: another's ports are not in our tables."""
    try:
        return os.readlink(_PROC / str(pid) / "ns/net") == os.readlink(_PROC / "self/ns/net")
    except OSError:
        return False


def parse_table(text: str) -> Iterator[Socket]:
    """Yield the listening sockets in /proc/net/tcp."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            address, _, port = fields[1].rpartition(":")
            yield Socket(fields[9], address, int(port, 16), int(fields[7]))


def _listening() -> Iterator[Socket]:
    for table in _TABLES:
        with contextlib.suppress(OSError):
            yield from parse_table((_PROC / table).read_text())


def _sockets_of(pid: int) -> set[str]:
    found = set()
    # Descriptors and whole processes vanish while we look.
    with contextlib.suppress(OSError):
        for entry in os.scandir(_PROC / str(pid) / "fd"):
            with contextlib.suppress(OSError):
                match = _SOCKET.fullmatch(os.readlink(entry.path))
                if match:
                    found.add(match[1])
    return found


def _program(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""
