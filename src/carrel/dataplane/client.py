"""The connection to a client: takes requests one after the other and gives their answers in that order."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from carrel.dataplane import error_pages
from carrel.dataplane.admission import FULL
from carrel.dataplane.engine import Engine
from carrel.dataplane.error_pages import Failure, refusal
from carrel.dataplane.paths import BadPathError
from carrel.dataplane.reader import RequestReader
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.replies import Reply
from carrel.dataplane.request import Request
from carrel.dataplane.request_head import Peer
from carrel.dataplane.routes import Route
from carrel.dataplane.targets import Address
from carrel.dataplane.tunnel import Tunnel
from carrel.dataplane.upstream import HIGH_WATER, UpstreamConnection

HEALTH_PATH = b"/_chp_healthz"
_HEALTHY = Reply(200, b'{"status":"OK"}', "application/json")

# Why nothing is read from the client: bits, because several reasons may hold at once.
_UNSENT = 1
_UPSTREAM_FULL = 2
_AHEAD = 4
_ANY = 7


class ClientConnection(asyncio.Protocol):
    """One connection; requests sent ahead wait in a queue."""

    __slots__ = (
        "_address",
        "_ahead",
        "_current",
        "_deadline",
        "_engine",
        "_held",
        "_queue",
        "_reader",
        "_serving",
        "_task",
        "_upstream",
        "slow",
        "transport",
    )

    transport: asyncio.Transport
    _reader: RequestReader

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: deque[Request] = deque()
        self._current: Request | None = None
        self._upstream: UpstreamConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._held = self._ahead = 0
        self._serving = False
        self._address: str | None = None
        self._deadline = 0.0
        #: The client takes no more for now.
        self.slow = False

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name
        self.transport.set_write_buffer_limits(HIGH_WATER)
        peername = transport.get_extra_info("peername")
        # Whoever comes through a Unix socket has no address; servers are told that it is on this machine.
        address = peername[0] if isinstance(peername, tuple) and peername else ""
        # A socket for both families has IPv4 addresses in the form of IPv6.
        address = address.removeprefix("::ffff:")
        peer = Peer(address or "127.0.0.1", b"https" if transport.get_extra_info("ssl_object") else b"http")
        self._reader = RequestReader(self, peer, self._engine.limits)
        if not self._engine.admission.enter(address):
            self._reader.deaf = True
            self.transport.write(FULL)
            self._engine.close_soon(self.transport)
            return
        self._address = address
        self._engine.clients[self] = None
        self._expect(self._engine.limits.header_seconds)
        if self._engine.draining:
            self._engine.close_soon(self.transport)

    def data_received(self, data: bytes) -> None:
        if self._current is not None and self._current.complete:
            self._ahead += len(data)
            if self._ahead > self._engine.limits.ahead_bytes:
                self._hold(_AHEAD)
        self._reader.feed(data)

    def pause_writing(self) -> None:
        self.slow = True
        if self._upstream is not None:
            self._upstream.pause()

    def resume_writing(self) -> None:
        self.slow = False
        if self._upstream is not None:
            self._upstream.resume()

    def eof_received(self) -> bool:
        # Who said that a request is the last may close its half and still read the answer.
        if self._reader.deaf and self._current is not None and self.transport.can_write_eof():
            return True
        self._leave_upstream()
        self._engine.close_soon(self.transport)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.clients.pop(self, None)
        self._engine.admission.end_upgrade(self)
        if self._address is not None:
            self._engine.admission.leave(self._address)
        self._leave_upstream()
        self._current = self._task = None
        self._queue.clear()
        self._reader.close()

    @property
    def idle_until(self) -> float | None:
        """Return when it closes for being idle, or None while a request is under way."""
        return self._deadline if self._current is None else None

    def sweep(self, now: float) -> None:
        """End what has not come in time: a head, the rest of a body, an upgrade's answer; and lingering."""
        request = self._current
        if request is None:
            if now > self._deadline:
                self._engine.close_soon(self.transport)
        elif request.wants_upgrade and not request.responded:
            if now > self._deadline:
                self._leave_upstream()
                self.broken(request, 503)
        elif request.complete or self._held:
            self._expect(self._engine.limits.body_seconds)
        elif now > self._deadline and not self._awaits_consent(request):
            self._reader.deaf = True
            self.refused(request, RefusedError(408, "its body did not come in time"))

    def _awaits_consent(self, request: Request) -> bool:
        return not request.sent and request.header(b"expect") != b""

    def drain(self) -> None:
        """Close after the answer under way, or now when there is none."""
        if self._current is None:
            self._engine.close_soon(self.transport)
        else:
            self._current.keep = False

    # What the reader finds.

    def received(self, request: Request) -> None:
        """Serve a request in its turn."""
        if self._engine.draining:
            request.keep = False
        if self._current is None:
            self._serve(request)
        else:
            self._queue.append(request)

    def body(self, request: Request, data: bytes) -> None:
        """Send a piece of a body on, or keep it until there is somewhere to send it."""
        request.sent = True
        self._expect(self._engine.limits.body_seconds)
        if request.route is not None:
            request.route.last_activity = self._engine.clock.now()
        if request.sink is not None:
            request.sink.write(data)
        elif not request.responded:
            request.body.append(data)
            self._hold(_UNSENT)

    def refused(self, request: Request, error: RefusedError) -> None:
        """Answer what is malformed in its turn; it is the last."""
        request.keep = False
        if request is self._current:
            self._leave_upstream()
            self._fail(request, refusal(error.status, error.message))
            return
        request.refusal = error
        if request not in self._queue:
            self.received(request)

    # Serving one request.

    def _serve(self, request: Request) -> None:
        engine = self._engine
        self._current = request
        if not request.complete:
            self._expect(engine.limits.body_seconds)
        if request.refusal is not None:
            self._fail(request, refusal(request.refusal.status, request.refusal.message))
            return
        if request.path == HEALTH_PATH:
            self._reply(request, _HEALTHY)
            return
        if request.wants_upgrade:
            engine.metrics.websockets += 1
            self._expect(engine.limits.upgrade_seconds)
        else:
            engine.metrics.web += 1
        try:
            route = request.route = engine.find(request)
        except BadPathError as error:
            self._fail(request, refusal(400, str(error)))
            return
        if route is None:
            self._fail(request, error_pages.NO_ROUTE)
        elif (reply := engine.stopped.answer(request, route)) is not None:
            self._reply(request, reply)
        else:
            self._send_on(request, route)

    def _send_on(self, request: Request, route: Route) -> None:
        engine = self._engine
        if request.body:
            route.last_activity = engine.clock.now()
        if engine.rewriting is not None:
            engine.rewriting.apply(request, route)
        if request.wants_upgrade and not engine.admission.begin_upgrade(self):
            self._fail(request, error_pages.SERVER_DOWN)
            return
        self._forward(request, fresh=request.wants_upgrade)

    def _forward(self, request: Request, fresh: bool) -> None:
        if request.route is None:
            return
        kept = None if fresh else self._engine.take(request.route.target)
        if kept is None:
            self._task = asyncio.get_running_loop().create_task(self._connect(request))
        else:
            self._upstream = kept
            kept.start(self, request)

    async def _connect(self, request: Request) -> None:
        if request.route is None:
            return
        try:
            upstream = await self._engine.connect(request.route.target)
        except (OSError, TimeoutError) as error:
            if isinstance(error, ssl.SSLError):
                self._engine.log.warning("No TLS with %s: %s", request.route.target.url, error)
            if self._current is request:
                self.broken(request, 503)
            return
        if self._current is not request or self.transport.is_closing():
            upstream.transport.abort()
            return
        self._upstream = upstream
        upstream.start(self, request)

    def _fail(self, request: Request, failure: Failure) -> None:
        if request.responded:
            self.cut(request, reset=True)
        elif (reply := self._engine.pages.at_once(request, failure)) is not None:
            self._reply(request, reply)
        else:
            self._task = asyncio.get_running_loop().create_task(self._fetch_page(request, failure))

    async def _fetch_page(self, request: Request, failure: Failure) -> None:
        reply = await self._engine.pages.fetched(request, failure)
        if self._current is request:
            self._reply(request, reply)

    def _reply(self, request: Request, reply: Reply) -> None:
        close = not request.keep or not request.complete
        head_only = request.method == b"HEAD"
        self.transport.write(reply.encode(head_only=head_only, close=close, keep_alive=request.http10))
        request.responded = True
        request.route = None
        self.answered(request, reply.status, close)

    # What the upstream connection reports.

    def accepted(self) -> None:
        """The request's head was sent: its body may flow."""
        self._release(_UNSENT)

    def hold_body(self) -> None:
        """The upstream takes no more for now."""
        self._hold(_UPSTREAM_FULL)

    def release_body(self) -> None:
        """The upstream takes more again."""
        self._release(_UPSTREAM_FULL)

    def answered(self, request: Request, status: int, close: bool) -> None:
        """Go on to the next request, or close."""
        engine = self._engine
        engine.metrics.answers[status] += 1
        if status < 300 and request.route is not None:
            request.route.last_activity = engine.clock.now()
            engine.metrics.touch.count += 1
        self._upstream = self._current = None
        if close or not request.keep or not request.complete or engine.draining:
            self._hang_up(request)
            return
        self._expect(engine.limits.keep_alive_seconds or engine.limits.header_seconds)
        if self._held:
            # Before the next one is served, whose server may be full at once.
            self._release(_UNSENT | _UPSTREAM_FULL)
        if self._queue and not self._serving:
            self._serve_queue()
        if not self._queue:
            self._ahead = 0
            if self._held:
                self._release(_AHEAD)

    def _serve_queue(self) -> None:
        """Serve until one has to wait; a loop, so that many short answers do not pile up on the stack."""
        self._serving = True
        while self._queue and self._current is None:
            self._serve(self._queue.popleft())
        self._serving = False

    def retry(self, request: Request, gone: Address | None = None) -> None:
        """Send a request once more, on a new connection and not first to an address that is gone."""
        self._upstream = None
        if gone is not None:
            self._engine.alternatives.failed(gone)
        request.retried = True
        if self._current is request:
            self._forward(request, fresh=True)

    def broken(self, request: Request, status: int) -> None:
        """Answer for the server: it is not reachable (503), or its answer cannot be used (502)."""
        self._upstream = None
        failure = error_pages.BAD_ANSWER
        if status == 503:
            hub = request.route is not None and request.route.leads_to_hub
            failure = error_pages.HUB_DOWN if hub else error_pages.SERVER_DOWN
        self._fail(request, failure)

    def cut(self, request: Request, reset: bool) -> None:
        """End the connection in the middle of an answer; `reset` where a plain end would look complete."""
        self._upstream = self._current = None
        self._queue.clear()
        self._reader.deaf = True
        if reset:
            self.transport.abort()
        else:
            self._engine.close_soon(self.transport)

    def upgraded(self, request: Request, upstream: asyncio.Transport, first: bytes) -> None:
        """Become one end of a tunnel."""
        self._engine.clients.pop(self, None)
        self._engine.admission.end_upgrade(self)
        self._upstream = self._current = None
        self.transport.write(first)
        if self.slow and not upstream.is_closing():
            upstream.pause_reading()
        if request.route is not None:
            request.route.last_activity = self._engine.clock.now()
        self._release(_ANY)
        Tunnel(self._engine, self.transport, upstream, self._address or "").open(request.route)
        if self._reader.rest:
            upstream.write(self._reader.rest)  # into the tunnel: it holds the client when the server is full
        self._reader.close()

    # Reading and closing.

    def _expect(self, seconds: float) -> None:
        self._deadline = self._engine.tick.now + seconds

    def _hang_up(self, request: Request) -> None:
        """Close; a client that is still sending gets time to read the answer: a reset would take it away."""
        self._reader.deaf = True
        self._queue.clear()
        if request.complete and not self._held:
            self._engine.close_soon(self.transport)
        elif not self.transport.is_closing():
            self._expect(self._engine.limits.linger_seconds)
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._release(_ANY)

    def _leave_upstream(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()

    def _hold(self, reason: int) -> None:
        if not self._held and not self.transport.is_closing():
            self.transport.pause_reading()
        self._held |= reason

    def _release(self, reason: int) -> None:
        before, self._held = self._held, self._held & ~reason
        if before and not self._held and not self.transport.is_closing():
            self.transport.resume_reading()
