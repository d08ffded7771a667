"""Kept connections to each server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from carrel.dataplane.limits import Limits
from carrel.dataplane.targets import Address
from carrel.dataplane.upstream import Home, UpstreamConnection


class Tick:
    """The monotonic clock as it was looked at last, at most a second ago."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0


class Pool:
    """The idle connections to one address, the newest first to be used again."""

    __slots__ = ("_limits", "_make", "_tick", "_tls", "address", "closed", "idle", "max_header_bytes")

    def __init__(
        self,
        address: Address,
        limits: Limits,
        tick: Tick,
        tls: ssl.SSLContext | None = None,
        make: Callable[[Home], UpstreamConnection] = UpstreamConnection,
    ) -> None:
        self.address = address
        self.idle: list[UpstreamConnection] = []
        self.closed = False
        self.max_header_bytes = limits.header_bytes * 4
        self._limits = limits
        self._tick = tick
        self._tls = tls
        self._make = make

    async def connect(self) -> UpstreamConnection:
        """Return a new connection; raises OSError or TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.connect_seconds):
            host, port, tls, path = self.address
            if path:
                _, connection = await loop.create_unix_connection(lambda: self._make(self), path)
                return connection
            context, farewell = (self._tls, self._limits.linger_seconds) if tls else (None, None)
            try:
                _, connection = await loop.create_connection(
                    lambda: self._make(self), host, port, ssl=context, ssl_shutdown_timeout=farewell
                )
            except UnicodeError as error:
                # A name that cannot even be asked for, as with a label that is empty or too long.
                raise OSError(f"{host} is no name of a host") from error
            return connection

    def take(self) -> UpstreamConnection | None:
        """Return a kept connection that is young enough, or None."""
        while self.idle:
            connection = self.idle.pop()
            if connection.transport.is_closing():
                continue
            if self._tick.now - connection.idle_since > self._limits.idle_upstream_seconds:
                connection.transport.close()
                continue
            connection.reused = True
            return connection
        return None

    def keep(self, connection: UpstreamConnection) -> None:
        """Take a connection back; close it when there are enough or the pool is closed."""
        if self.closed or len(self.idle) >= self._limits.idle_per_server:
            connection.transport.close()
            return
        connection.idle_since = self._tick.now
        self.idle.append(connection)

    def drop(self, connection: UpstreamConnection) -> None:
        """Forget a connection that was closed."""
        if connection in self.idle:
            self.idle.remove(connection)

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        oldest = self._tick.now - self._limits.idle_upstream_seconds
        for connection in [kept for kept in self.idle if kept.idle_since < oldest]:
            self.idle.remove(connection)
            connection.transport.close()

    def shed(self, count: int) -> None:
        """Close the `count` connections that are idle for longest."""
        for connection in self.idle[:count]:
            connection.transport.close()
        del self.idle[:count]

    def close(self) -> None:
        """Close every idle connection, and those in use once they come back."""
        self.closed = True
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()
