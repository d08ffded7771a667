"""After an upgrade: two connections that copy bytes to each other, in whatever protocol."""

from __future__ import annotations

import asyncio
from typing import Protocol

from carrel.dataplane.dead_peers import find_dead_peers
from carrel.dataplane.routes import Route
from carrel.lib.clock import Clock


class TunnelKeeper(Protocol):
    """Who knows the open tunnels."""

    clock: Clock

    def tunnel_opened(self, tunnel: Tunnel) -> None:
        """Remember a tunnel."""

    def tunnel_closed(self, tunnel: Tunnel) -> None:
        """Forget a tunnel; both of its connections are gone."""

    def close_soon(self, transport: asyncio.Transport) -> None:
        """Close a connection once its buffer is sent, or after a while without that."""


class _End(asyncio.Protocol):
    __slots__ = ("now", "peer", "route", "tunnel")

    def __init__(self, tunnel: Tunnel, peer: asyncio.Transport, route: Route | None, clock: Clock) -> None:
        self.tunnel = tunnel
        self.peer = peer
        self.route = route
        self.now = clock.now

    def data_received(self, data: bytes) -> None:
        if self.peer.is_closing():
            return
        self.peer.write(data)
        if self.route is not None:
            self.route.last_activity = self.now()

    def pause_writing(self) -> None:
        if not self.peer.is_closing():
            self.peer.pause_reading()

    def resume_writing(self) -> None:
        if not self.peer.is_closing():
            self.peer.resume_reading()

    def eof_received(self) -> bool:
        self.tunnel.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnel.lost()


class Tunnel:
    """A client and a server that talk past the data plane; when one goes, so does the other."""

    __slots__ = ("_client", "_keeper", "_open", "_server", "address")

    def __init__(
        self, keeper: TunnelKeeper, client: asyncio.Transport, server: asyncio.Transport, address: str
    ) -> None:
        self._keeper = keeper
        self._client = client
        self._server = server
        self._open = 2
        #: Where the client's connection is from.
        self.address = address

    def open(self, route: Route | None) -> None:
        """Take both connections over from the protocols that made the upgrade."""
        clock = self._keeper.clock
        find_dead_peers(self._server.get_extra_info("socket"))
        self._client.set_protocol(_End(self, self._server, route, clock))
        self._server.set_protocol(_End(self, self._client, route, clock))
        self._keeper.tunnel_opened(self)

    def close(self) -> None:
        """Close both ends after what is buffered; may be repeated."""
        self._keeper.close_soon(self._client)
        self._keeper.close_soon(self._server)

    def lost(self) -> None:
        """Note that one end is gone."""
        self._open -= 1
        if self._open:
            self.close()
        else:
            self._keeper.tunnel_closed(self)
