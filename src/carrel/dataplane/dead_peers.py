"""Probes on connections that may be silent for hours, so that a vanished other end is found."""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol


class Connection(Protocol):
    """A socket, or what a transport shows of its own."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """Set an option."""


def find_dead_peers(connection: Connection | None) -> None:
    """Let a TCP connection end about two minutes after its other end vanished without a word.

    A listening socket hands this on to what it accepts. Other kinds of sockets have no need of it.
    """
    if connection is None:
        return
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
