"""Listening sockets, with an error that says who is in the way."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path


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


@contextlib.contextmanager
def listening_in(path: Path, mode: int) -> Iterator[socket.socket]:
    """Hold a socket in the file system that listens, with these permissions; it is gone afterwards.

    One that a process left behind is replaced. Raises PortInUse when something answers there or a file is in
    the way, and CannotListen.
    """
    _clear(path)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        # Nobody may come in before the permissions are what they should be.
        mask = os.umask(0o777)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise CannotListen(f"cannot listen on {path}: {error.strerror or error}") from None
        finally:
            os.umask(mask)
        mine = path.stat().st_ino
        path.chmod(mode)
        listener.listen(1024)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == mine:
                    path.unlink()


def _clear(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotListen(f"cannot listen on {path}: {error.strerror or error}") from None
    if not stat.S_ISSOCK(kind):
        raise PortInUse(str(path))
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise PortInUse(str(path))
