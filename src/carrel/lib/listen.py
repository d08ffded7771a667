"""Listening sockets, with an error that says who is in the way."""

from __future__ import annotations

import errno
import socket


class CannotListen(Exception):
    """The address is not of this machine or not permitted; the text names it."""


class PortInUse(CannotListen):
    """Something else listens there already; `address` is `HOST:PORT`."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is in use: stop what listens there or choose another port")
        self.address = address


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; an empty host means all addresses, port 0 a free port.

    Raises PortInUse, and CannotListen for an address that is not of this machine or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{host or '*'}:{port}") from None
        text = f"cannot listen on {host or '*'}:{port}: {error.strerror or error}"
        raise CannotListen(text) from None
    return listener
