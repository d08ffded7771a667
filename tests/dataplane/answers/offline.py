"""The data plane's two connections without sockets: a request and an answer's pieces in, bytes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from carrel.dataplane.admission import Admission
from carrel.dataplane.client import ClientConnection
from carrel.dataplane.engine import Engine
from carrel.dataplane.error_pages import ErrorPages
from carrel.dataplane.limits import Limits
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.targets import parse_target
from carrel.dataplane.upstream import UpstreamConnection
from carrel.lib.clock import SystemClock

TARGET = parse_target("http://127.0.0.1:9")


def offline_engine(limits: Limits = Limits()) -> Engine:  # noqa: B008 - frozen
    """Return an engine whose only route leads to TARGET."""
    clock = SystemClock()
    table = RouteTable(clock, TARGET)
    log = logging.getLogger("offline")
    return Engine(table, ErrorPages(None), clock, limits, log, Admission(limits))


class Pipe(asyncio.Transport):
    """A transport that keeps what is written, and tells its protocol of the end when the test says so."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closing = self.aborted = self._told = False
        self._protocol: asyncio.BaseProtocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def is_closing(self) -> bool:
        return self.closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closing:
            self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Take the end of what is written for that of the connection: nobody here sends behind it."""
        self.closing = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def feed(self, data: bytes) -> None:
        """Give the protocol bytes, unless the connection is closed."""
        if not self.closing and data:
            assert isinstance(self._protocol, asyncio.Protocol)
            self._protocol.data_received(data)

    def end(self, error: Exception | None = None) -> None:
        """Let the peer close; one that resets the connection leaves an error."""
        if not self.closing:
            assert isinstance(self._protocol, asyncio.Protocol)
            if error is None and self._protocol.eof_received():
                return
            self.closing = True
        self.settle(error)

    def settle(self, error: Exception | None = None) -> None:
        """Tell the protocol that the connection is gone, if it is and was not told."""
        if self.closing and not self._told:
            self._told = True
            self._protocol.connection_lost(error)


class Offline:
    """A client's request on its way to a server whose kept connection waits in the pool."""

    def __init__(self, request: bytes) -> None:
        engine = offline_engine()
        self.pool = engine.pool(TARGET.address)
        upstream = UpstreamConnection(self.pool)
        self.server = Pipe(upstream)
        upstream.connection_made(self.server)
        self.pool.keep(upstream)
        client = ClientConnection(engine)
        self.client = Pipe(client)
        client.connection_made(self.client)
        self.client.feed(request)

    def answer(self, pieces: Iterable[bytes]) -> None:
        """Let the server send pieces, one by one."""
        for piece in pieces:
            self.server.feed(piece)
        self.server.settle()

    def again(self) -> bytes:
        """Return what the client gets for another request when the server answers it well."""
        before = len(self.client.sent)
        self.client.feed(b"GET /again HTTP/1.1\r\nHost: h\r\n\r\n")
        self.server.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
        return self.got[before:]

    @property
    def got(self) -> bytes:
        """Return what the client got."""
        return bytes(self.client.sent)

    @property
    def kept(self) -> bool:
        """Tell whether the connection to the server waits for another request."""
        return bool(self.pool.idle)
