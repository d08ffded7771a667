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

    def tunnel_ending(self, tunnel: Tunnel) -> None:
        """Close a tunnel, half of which is closed, once nothing comes any more."""

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
        self.tunnel.quiet = False
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
        return self.tunnel.half_closed(self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnel.lost()


class Tunnel:
    """A client and a server that talk past the data plane; when one goes, so does the other."""

    __slots__ = ("_client", "_ending", "_keeper", "_open", "_server", "address", "quiet")

    def __init__(
        self, keeper: TunnelKeeper, client: asyncio.Transport, server: asyncio.Transport, address: str
    ) -> None:
        self._keeper = keeper
        self._client = client
        self._server = server
        self._open = 2
        #: Where the client's connection is from.
        self.address = address
        #: One side has said all that it has to say.
        self._ending = False
        #: Nothing has come since somebody last set it.
        self.quiet = True

    def open(self, route: Route | None) -> None:
        """Take both connections over from the protocols that made the upgrade."""
        clock = self._keeper.clock
        find_dead_peers(self._server.get_extra_info("socket"))
        self._client.set_protocol(_End(self, self._server, route, clock))
        self._server.set_protocol(_End(self, self._client, route, clock))
        self._keeper.tunnel_opened(self)

    def half_closed(self, peer: asyncio.Transport) -> bool:
        """Tell the peer that nothing more comes, and keep the other direction; TLS has no such thing."""
        if self._ending or not (self._client.can_write_eof() and self._server.can_write_eof()):
            self.close()
            return False
        self._ending = True
        self._keeper.tunnel_ending(self)
        if not peer.is_closing():
            peer.write_eof()
        return True

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
