"""What all connections share: the table, the pools, the limits, and the list of who is connected."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from carrel.dataplane.error_pages import ErrorPages
from carrel.dataplane.limits import Limits
from carrel.dataplane.pools import Pool
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.targets import Address
from carrel.dataplane.tunnel import Tunnel
from carrel.lib.clock import Clock


class Client(Protocol):
    """A client's connection, as the engine minds it."""

    transport: asyncio.Transport

    def sweep(self, now: float) -> None:
        """Close when the client has taken too long."""

    def drain(self) -> None:
        """Close after the answer under way, or now when there is none."""


@dataclass(slots=True)
class Engine:
    """Owns every connection; `run` minds them, `close` ends them."""

    table: RouteTable
    pages: ErrorPages
    clock: Clock
    limits: Limits
    log: logging.Logger
    draining: bool = False
    clients: set[Client] = field(default_factory=set)
    tunnels: set[Tunnel] = field(default_factory=set)
    _pools: dict[Address, Pool] = field(default_factory=dict)
    _closing: dict[asyncio.Transport, float] = field(default_factory=dict)

    def pool(self, address: Address) -> Pool:
        """Return the pool of connections to an address."""
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = Pool(address, self.limits, self.clock.monotonic)
        return pool

    def close_soon(self, transport: asyncio.Transport) -> None:
        """Close a connection once its buffer is sent, or after a while without that; may be repeated."""
        if not transport.is_closing():
            transport.close()
            if transport.get_write_buffer_size():
                self._closing[transport] = self.clock.monotonic() + self.limits.linger_seconds

    def tunnel_opened(self, tunnel: Tunnel) -> None:
        """Remember a tunnel."""
        self.tunnels.add(tunnel)
        if self.draining:
            tunnel.close()

    def tunnel_closed(self, tunnel: Tunnel) -> None:
        """Forget a tunnel."""
        self.tunnels.discard(tunnel)

    async def run(self) -> None:
        """Mind time limits until cancelled."""
        interval = min(1.0, self.limits.header_seconds / 4, self.limits.linger_seconds / 4)
        while True:
            await self.clock.sleep(interval)
            self._sweep(self.clock.monotonic())

    async def close(self) -> None:
        """End gracefully: answers under way are finished within the limit, tunnels are closed."""
        self.draining = True
        for tunnel in list(self.tunnels):
            tunnel.close()
        for client in list(self.clients):
            client.drain()
        deadline = self.clock.monotonic() + self.limits.drain_seconds
        while (self.clients or self.tunnels) and self.clock.monotonic() < deadline:
            await self.clock.sleep(0.02)
        for client in list(self.clients):
            client.transport.abort()
        for transport in self._closing:
            transport.abort()
        for pool in self._pools.values():
            pool.close()
        await self.clock.sleep(0)

    def _sweep(self, now: float) -> None:
        for client in list(self.clients):
            client.sweep(now)
        for transport, deadline in list(self._closing.items()):
            if now >= deadline:
                transport.abort()
                del self._closing[transport]
        for address, pool in list(self._pools.items()):
            pool.sweep()
            if not pool.idle:
                del self._pools[address]
