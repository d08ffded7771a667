"""Who listens on this machine's TCP ports, as far as /proc shows."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.process_table import running

_PROC = Path("/proc")
_TABLES = ("net/tcp", "net/tcp6")
_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Listener:
    """One process that takes connections on a port."""

    pid: int
    port: int
    program: str


def listeners() -> list[Listener]:
    """Return who listens where: only processes that we may look into; empty without /proc."""
    ports = dict(_listening_sockets())
    found = []
    for pid in running() if ports else []:
        for inode in _sockets_of(pid) & ports.keys():
            found.append(Listener(pid, ports[inode], _program(pid)))
    return found


def shares_network(pid: int) -> bool:
    """Tell whether a process has this one's network: another's ports are not in our tables."""
    try:
        return os.readlink(_PROC / str(pid) / "ns/net") == os.readlink(_PROC / "self/ns/net")
    except OSError:
        return False


def parse_table(text: str) -> Iterator[tuple[str, int]]:
    """Yield the inode and port of each listening socket in /proc/net/tcp."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _listening_sockets() -> Iterator[tuple[str, int]]:
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
