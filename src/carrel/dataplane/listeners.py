"""Listening sockets: at an address, or a Unix socket's path."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from carrel.dataplane.dead_peers import find_dead_peers

BACKLOG = 2048
#: How often a port in use is tried once more, and after how many seconds.
_TRIES = 100
_PAUSE = 0.01


class CannotListenError(Exception):
    """A port is in use or an address not available."""


class PortInUseError(CannotListenError):
    """Another process listens there, or a file is in the way."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen: on `path` when there is one, else at `ip` and `port`."""

    ip: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{self.ip or '*'} port {self.port}"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, and what it speaks."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Return its URL, loopback for one that listens everywhere."""
        return url_of(self.socket, tls=self.tls is not None)


@contextlib.contextmanager
def listening(endpoint: Endpoint) -> Iterator[socket.socket]:
    """Hold a listening socket; raises CannotListenError with a message for a person."""
    if endpoint.path is None:
        with contextlib.closing(_listen(endpoint)) as listener:
            yield listener
        return
    with contextlib.closing(_listen_unix(endpoint.path)) as listener:
        mine = os.stat(endpoint.path).st_ino
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if os.stat(endpoint.path).st_ino == mine:
                    endpoint.path.unlink()


@contextlib.contextmanager
def sharing(endpoint: Endpoint, count: int) -> Iterator[list[socket.socket]]:
    """Hold what so many processes accept from; raises CannotListenError.

    On Linux each has a socket of its own, among which the kernel spreads new connections; else it is one
    socket for all of them.
    """
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(_patiently(endpoint) if count > 1 else listening(endpoint))
        if first.family == socket.AF_UNIX or sys.platform != "linux":
            yield [first] * count
            return
        others = [stack.enter_context(contextlib.closing(_beside(first, endpoint))) for _ in range(count - 1)]
        yield [first, *others]


@contextlib.contextmanager
def _patiently(endpoint: Endpoint) -> Iterator[socket.socket]:
    """Listen; the workers of a main process that was killed hold the port for a moment longer than it."""
    with contextlib.ExitStack() as stack:
        for _ in range(_TRIES):
            with contextlib.suppress(PortInUseError):
                listener = stack.enter_context(listening(endpoint))
                break
            time.sleep(_PAUSE)
        else:
            listener = stack.enter_context(listening(endpoint))
        yield listener


def _beside(first: socket.socket, endpoint: Endpoint) -> socket.socket:
    """Return one more socket on the address of the first.

    That has the address to itself until here, which SO_REUSEPORT from the start would not have told.
    """
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener = socket.socket(first.family, first.type, first.proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return _bound(listener, first.getsockname(), endpoint)


def _listen(endpoint: Endpoint) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            endpoint.ip or _everywhere(), endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {endpoint}: {error.strerror}") from None
    return _bound(listener, address, endpoint)


def _bound(listener: socket.socket, address: Any, endpoint: Endpoint) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        find_dead_peers(listener)
        if listener.family == socket.AF_INET6 and not endpoint.ip:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"cannot listen on {endpoint}: the port is in use") from None
        raise CannotListenError(f"cannot listen on {endpoint}: {os.strerror(error.errno or 0)}") from None
    return listener


def _everywhere() -> str:
    """Return the address that stands for all of them, of both families where there are two."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - a public proxy's default


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_left_over(path)
        listener.bind(str(path))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"cannot listen on {path}: something is there already") from None
        raise CannotListenError(f"cannot listen on {path}: {error.strerror or error}") from None
    return listener


def _remove_left_over(path: Path) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def port_of(listener: socket.socket) -> int:
    """Return the port of a listening socket, 0 for a Unix socket."""
    return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """Return the URL of a listening socket, loopback for one that listens everywhere."""
    scheme = "https" if tls else "http"
    if listener.family == socket.AF_UNIX:
        return f"{scheme}+unix://{quote(listener.getsockname(), safe='')}"
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
