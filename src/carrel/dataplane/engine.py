"""What all connections share: the table, the pools, the limits, and the list of who is connected."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from carrel.dataplane.admission import Admission
from carrel.dataplane.alternatives import Alternatives
from carrel.dataplane.error_pages import ErrorPages
from carrel.dataplane.limits import Limits
from carrel.dataplane.load import Load
from carrel.dataplane.metrics import Counts, Metrics
from carrel.dataplane.pools import Pool, Tick
from carrel.dataplane.request import Request
from carrel.dataplane.rewriting import Rewriting, host_of
from carrel.dataplane.routes import Route, RouteTable
from carrel.dataplane.stopped import StoppedServers
from carrel.dataplane.targets import Address, Target
from carrel.dataplane.tunnel import Tunnel
from carrel.dataplane.upstream import Home, UpstreamConnection
from carrel.lib.clock import Clock


class Client(Protocol):
    """A client's connection, as the engine minds it."""

    transport: asyncio.Transport

    @property
    def idle_until(self) -> float | None:
        """Return when it closes for being idle, or None while a request is under way."""

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
    admission: Admission
    #: None for a proxy that changes nothing.
    rewriting: Rewriting | None = None
    host_routing: bool = False
    stopped: StoppedServers = field(default_factory=StoppedServers)
    metrics: Metrics = field(default_factory=Metrics)
    #: Times what is measured and not only counted.
    measured: bool = False
    #: For servers that speak TLS.
    tls: ssl.SSLContext | None = None
    make_upstream: Callable[[Home], UpstreamConnection] = UpstreamConnection
    draining: bool = False
    #: Ordered: among those that have been idle for as long, the oldest goes first.
    clients: dict[Client, None] = field(default_factory=dict)
    tunnels: set[Tunnel] = field(default_factory=set)
    #: The time for what need not be exact.
    tick: Tick = field(default_factory=Tick)
    alternatives: Alternatives = field(init=False)
    _pools: dict[Address, Pool] = field(default_factory=dict)
    #: Half closed ones, and until when something must come.
    _ending: dict[Tunnel, float] = field(default_factory=dict)
    _closing: dict[asyncio.Transport, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alternatives = Alternatives(self.pool, self.tick)

    def take(self, target: Target) -> UpstreamConnection | None:
        """Return a kept connection to a target, or None."""
        return self.alternatives.take(target) if target.others else self.pool(target.address).take()

    async def connect(self, target: Target) -> UpstreamConnection:
        """Return a new connection to a target; raises OSError or TimeoutError."""
        if target.others:
            return await self.alternatives.connect(target)
        return await self.pool(target.address).connect()

    def pool(self, address: Address) -> Pool:
        """Return the pool of connections to an address."""
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = Pool(address, self.limits, self.tick, self.tls, self.make_upstream)
        return pool

    def trust(self, tls: ssl.SSLContext) -> None:
        """Use this context for new connections to servers; open ones stay until they are idle."""
        self.tls = self.pages.tls = tls
        for address, pool in list(self._pools.items()):
            if address.tls:
                pool.close()
                del self._pools[address]

    def find(self, request: Request) -> Route | None:
        """Return a request's route; raises BadPathError."""
        if not self.measured:
            return self.table.find(request.path, host_of(request) if self.host_routing else None)
        begun = time.perf_counter()
        try:
            return self.table.find(request.path, host_of(request) if self.host_routing else None)
        finally:
            self.metrics.find.add(time.perf_counter() - begun)

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
        self._ending.pop(tunnel, None)
        self.admission.leave(tunnel.address)

    def tunnel_ending(self, tunnel: Tunnel) -> None:
        """Close a tunnel, half of which is closed, once nothing comes any more."""
        self._ending[tunnel] = self.tick.now + self.limits.body_seconds

    async def run(self) -> None:
        """Mind time limits until cancelled."""
        limits = self.limits
        seconds = [limits.header_seconds, limits.linger_seconds, limits.keep_alive_seconds]
        seconds += [limits.silent_client_seconds, limits.silent_server_seconds, limits.upgrade_seconds]
        interval = min(1.0, *(limit / 4 for limit in seconds if limit))
        self.tick.now = self.clock.monotonic()
        while True:
            await self.clock.sleep(interval)
            self.tick.now = self.clock.monotonic()
            self._sweep(self.tick.now)

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

    def take_counts(self) -> Counts:
        """Return what was counted since the last call."""
        counts, self.metrics = self.metrics.counts(), Metrics()
        return counts

    @property
    def load(self) -> Load:
        """Return how much is open."""
        return Load(
            connections=self.admission.connections,
            tunnels=len(self.tunnels),
            upgrades=self.admission.upgrades,
            idle_upstreams=self.idle_upstreams,
            tasks=len(asyncio.all_tasks()),
        )

    @property
    def idle_upstreams(self) -> int:
        """Return how many kept connections to servers are without a request."""
        return sum(len(pool.idle) for pool in self._pools.values())

    def _shed_clients(self) -> None:
        if len(self.clients) <= self.limits.idle_clients:
            return
        idle = [(client.idle_until, client) for client in self.clients if client.idle_until is not None]
        idle.sort(key=lambda pair: pair[0] or 0.0)
        for _, client in idle[: max(0, len(idle) - self.limits.idle_clients)]:
            self.close_soon(client.transport)

    def _sweep(self, now: float) -> None:
        for client in list(self.clients):
            client.sweep(now)
        self._shed_clients()
        for tunnel, deadline in list(self._ending.items()):
            if not tunnel.quiet:
                tunnel.quiet = True
                self.tunnel_ending(tunnel)
            elif now > deadline:
                tunnel.close()
        for transport, deadline in list(self._closing.items()):
            if now >= deadline:
                transport.abort()
                del self._closing[transport]
        for address, pool in list(self._pools.items()):
            pool.sweep()
            pool.shed(max(0, self.idle_upstreams - self.limits.idle_upstreams))
            if not pool.idle:
                pool.close()
                del self._pools[address]
