"""What happens at a connection while something else is under way there, in every order that matters."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from carrel.dataplane.client import ClientConnection
from carrel.dataplane.engine import Engine
from carrel.dataplane.limits import Limits
from carrel.dataplane.pools import Pool
from carrel.dataplane.silence import MindedClient, MindedUpstream
from carrel.dataplane.upstream import HIGH_WATER, UpstreamConnection
from tests.dataplane.answers.offline import TARGET, Pipe, offline_engine

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MUCH = bytes(HIGH_WATER + 1)


class Tight(Pipe):
    """A transport whose peer takes nothing until the test says so."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__(protocol)
        self.reading = True
        self._full = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        if len(self.sent) > HIGH_WATER and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def take(self) -> None:
        """Let the peer take all."""
        self.sent.clear()
        if self._full:
            self._full = False
            self._protocol.resume_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Near(Pool):
    """Connects at once to a server that is a pipe; or not at all, until it is let."""

    __slots__ = ("gate", "servers")

    def __init__(self, engine: Engine) -> None:
        super().__init__(TARGET.address, engine.limits, engine.tick, make=engine.make_upstream)
        self.servers: list[Tight] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def connect(self) -> UpstreamConnection:
        await self.gate.wait()
        upstream = self._make(self)
        self.servers.append(Tight(upstream))
        upstream.connection_made(self.servers[-1])
        return upstream


@dataclass
class Scene:
    """A client and the servers that its requests have reached."""

    limits: Limits = field(default_factory=Limits)
    protocol: type[ClientConnection] = ClientConnection

    def __post_init__(self) -> None:
        self.engine = offline_engine(self.limits)
        if self.protocol is MindedClient:
            self.engine.make_upstream = MindedUpstream
        self.pool = self.engine._pools[TARGET.address] = Near(self.engine)
        self.connection = self.protocol(self.engine)
        self.client = Tight(self.connection)
        self.connection.connection_made(self.client)

    async def ask(self, request: bytes) -> Tight:
        """Send a request that has to be connected for, and return the server that got it."""
        self.client.feed(request)
        await _turns()
        return self.pool.servers[-1]


async def _turns() -> None:
    """Let whatever can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_body_sent_ahead_is_held_when_the_server_does_not_take_it() -> None:
    scene = Scene()
    server = await scene.ask(GET)
    scene.client.feed(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" + MUCH)
    server.take()
    server.feed(OK)
    assert server.sent.endswith(MUCH)
    assert not scene.client.reading
    server.take()
    assert scene.client.reading


async def test_the_rest_of_a_body_is_read_when_too_much_of_it_came_ahead() -> None:
    scene = Scene()
    server = await scene.ask(GET)
    scene.client.feed(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n")
    scene.client.feed(bytes(scene.limits.ahead_bytes + 1))
    assert not scene.client.reading
    server.take()
    server.feed(OK)
    assert scene.client.reading


async def test_many_requests_sent_ahead_are_read_no_further_until_they_are_answered() -> None:
    scene = Scene()
    server = await scene.ask(GET)
    scene.client.feed(GET * (scene.limits.ahead_bytes // len(GET) + 1))
    assert not scene.client.reading
    server.feed(OK)
    assert not scene.client.reading
    while server.sent.endswith(GET[-4:]) and not scene.client.reading:
        server.take()
        server.feed(OK)
    assert scene.client.reading


async def test_a_kept_connection_is_not_used_when_its_server_may_be_closing_it() -> None:
    """Servers do so after five seconds, and the tick was looked at up to a second ago."""
    scene = Scene()
    scene.engine.tick.now = 10.0
    server = await scene.ask(GET)
    server.feed(OK)
    assert scene.pool.idle
    scene.engine.tick.now = 14.0
    assert scene.pool.take() is None
    assert server.closing


async def test_what_is_sent_ahead_of_an_upgrade_is_held_when_the_server_does_not_take_it() -> None:
    scene = Scene()
    server = await scene.ask(UPGRADE)
    server.take()
    scene.client.feed(MUCH)
    server.feed(SWITCHED)
    assert server.sent == MUCH
    assert not scene.client.reading
    server.take()
    assert scene.client.reading


async def test_what_comes_with_the_answer_to_an_upgrade_is_held_when_the_client_does_not_take_it() -> None:
    scene = Scene()
    server = await scene.ask(UPGRADE)
    server.feed(SWITCHED + MUCH)
    assert not server.reading
    scene.client.take()
    assert server.reading


async def test_an_upgrade_for_a_client_that_is_gone_opens_no_tunnel() -> None:
    """A connection with TLS tells the protocol of its end that it had when the end came, a turn later."""
    scene = Scene()
    server = await scene.ask(UPGRADE)
    scene.client.closing = True
    server.feed(SWITCHED)
    scene.connection.connection_lost(None)
    assert server.closing
    server.settle()
    assert not scene.engine.tunnels
    assert scene.engine.load.connections == scene.engine.load.upgrades == 0


async def test_a_client_that_comes_while_the_proxy_ends_is_not_waited_for() -> None:
    scene = Scene()
    scene.engine.draining = True
    late = ClientConnection(scene.engine)
    pipe = Tight(late)
    late.connection_made(pipe)
    assert pipe.closing
    pipe.settle()
    assert late not in scene.engine.clients


async def test_a_request_that_waited_for_the_one_before_it_is_not_silent() -> None:
    scene = Scene(Limits(silent_server_seconds=10.0), MindedClient)
    server = await scene.ask(GET + GET)
    for waiting in scene.connection._queue:
        waiting.moved -= 20
    scene.pool.gate.clear()
    server.feed(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    scene.connection.sweep(scene.engine.tick.now)
    scene.pool.gate.set()
    await _turns()
    scene.pool.servers[-1].feed(OK)
    assert scene.client.sent.count(b" 200 OK\r\n") == 2
