"""A Tornado application below an ASGI one, in memory: no socket, no second parse, and the same event loop.

Tornado's own interface between its HTTP server and an application is enough for it: the application hands out
a delegate for what comes in, and writes its answer to an `HTTPConnection`, which is ours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from tornado import httputil
from tornado.web import Application, RequestHandler

from carrel.http.errors import answer, answer_error
from carrel.http.middleware import Message, Receive, Send
from carrel.http.request import RequestFacts, Scope, facts_of

#: How long a handler may take before it begins to answer, in seconds.
PATIENCE = 60.0
#: Written by the server below.
_TWICE = frozenset({"server", "date"})
#: What a peer says of where a request comes from; the hub has decided already whom to believe.
_CLAIMS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip", b"x-scheme", b"forwarded"})
_log = logging.getLogger("carrel.compat")

Step = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from, as Tornado asks for it."""

    remote_ip: str
    protocol: str
    address_family: None = None


class Reply(httputil.HTTPConnection):
    """The answer to one request, as its handler writes it, in order, for `Bridge` to send.

    `own` collects the cookies that the hub itself gives the browser. `first` are steps that must have been
    taken before the answer goes out; when one of them fails, that is the answer.
    """

    stream = None
    """There is none; Tornado asks it for the visitor's certificate."""

    def __init__(self, scope: Scope) -> None:
        facts = facts_of(scope)
        self.scope = scope
        self.context = Peer(facts.client, facts.scheme)
        self.own = Response()
        self.first: list[Step] = []
        self.gone = False
        self._written: asyncio.Queue[tuple[asyncio.Future[None] | None, Message | None]] = asyncio.Queue()
        self._on_close: Callable[[], object] | None = None

    def write_headers(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        status = getattr(start_line, "code", 200)
        if status == 101:
            return self._refuse_connection()
        raw = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.get_all()
            if name.lower() not in _TWICE
        ]
        written = self._put({"type": "http.response.start", "status": status, "headers": raw})
        return self.write(chunk) if chunk else written

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        return self._put({"type": "http.response.body", "body": bytes(chunk), "more_body": True})

    def finish(self) -> None:
        self._put(None)

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Keep what is called when the visitor goes away; handlers and Tornado itself ask for it."""
        self._on_close = callback

    def detach(self) -> None:
        """Refuse a handler that wants the connection itself, as those for WebSockets do."""
        # It counts itself as finished already, so what is raised here would leave the visitor waiting.
        self._refuse_connection()
        raise RuntimeError("Handlers of plug-ins cannot have the connection itself")

    def _refuse_connection(self) -> asyncio.Future[None]:
        line = httputil.ResponseStartLine("HTTP/1.1", 501, "Not Implemented")
        written = self.write_headers(line, httputil.HTTPHeaders({"Content-Length": "0"}))
        self.finish()
        return written

    def leave(self) -> None:
        """Tell the handler that nobody waits for its answer any more; may be repeated.

        What it has written and nobody sends is forgotten, so that it does not wait for that for ever.
        """
        self.gone = True
        callback, self._on_close = self._on_close, None
        if callback is not None:
            try:
                callback()
            except Exception:
                _log.exception("A handler failed when its visitor left")
        while not self._written.empty():
            _settle(self._written.get_nowait()[0])
        self._written.put_nowait((None, None))

    @property
    def waiting(self) -> bool:
        """Whether the handler has written nothing that is not sent."""
        return self._written.empty()

    async def next(self) -> tuple[asyncio.Future[None] | None, Message | None]:
        """Return what the handler wrote next, and what to settle once it is sent; None at the end."""
        return await self._written.get()

    def _put(self, message: Message | None) -> asyncio.Future[None]:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.gone:
            sent.set_result(None)
        else:
            self._written.put_nowait((sent, message))
        return sent


class Bridge:
    """Serves requests with a Tornado application; the hub's middleware must be around it.

    A handler has `patience` seconds to begin its answer.
    """

    def __init__(self, application: Application, *, patience: float = PATIENCE) -> None:
        self._application = application
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = Reply(scope)
        try:
            if await self._hand_over(scope, receive, reply):
                await _Sender(scope, send, reply).run(receive, self._patience)
        except httputil.HTTPInputError as error:
            await _answer(scope, send, answer(Request(scope), 400, str(error)))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # A handler that could not even be made.
            await _answer(scope, send, answer_error(Request(scope), error))
        finally:
            reply.leave()

    async def _hand_over(self, scope: Scope, receive: Receive, reply: Reply) -> bool:
        """Give a request to its handler; False when the visitor has gone before all of it came."""
        delegate = self._application.start_request(None, reply)
        waits = delegate.headers_received(*request_head(scope))
        more = True
        while more:
            if waits is not None:
                await waits
            message = await receive()
            if message["type"] == "http.disconnect":
                delegate.on_connection_close()
                return False
            more = message.get("more_body", False)
            waits = delegate.data_received(message["body"]) if message.get("body") else None
        delegate.finish()
        return True


def request_head(scope: Scope) -> tuple[httputil.RequestStartLine, httputil.HTTPHeaders]:
    """Return a request's first line and headers as the browser sent them.

    What says where it comes from is replaced by what the hub believes of it.
    """
    facts = facts_of(scope)
    headers = httputil.HTTPHeaders()
    for name, value in scope["headers"]:
        if name not in _CLAIMS:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
    headers["X-Forwarded-For"], headers["X-Forwarded-Proto"] = facts.client, facts.scheme
    line = httputil.RequestStartLine(scope["method"], facts.url, f"HTTP/{scope.get('http_version', '1.1')}")
    return line, headers


class _Sender:
    """Sends what a handler writes."""

    def __init__(self, scope: Scope, send: Send, reply: Reply) -> None:
        self._scope = scope
        self._send = send
        self._reply = reply
        self._begun = False

    async def run(self, receive: Receive, patience: float) -> None:
        """Send the answer to its end."""
        watch: asyncio.Task[None] | None = None
        try:
            while True:
                if watch is None and self._reply.waiting:
                    # Only now: most handlers have written all of it by the time we look.
                    watch = asyncio.create_task(_watch(receive, self._reply), name="watch of a visitor")
                sent, message = await self._next(patience)
                try:
                    if message is None or not await self._pass_on(message):
                        break
                finally:
                    _settle(sent)
            if self._begun and not self._reply.gone:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if watch is not None:
                watch.cancel()
            await self._take_steps()

    async def _next(self, patience: float) -> tuple[asyncio.Future[None] | None, Message | None]:
        if self._begun:
            return await self._reply.next()
        try:
            async with asyncio.timeout(patience):
                return await self._reply.next()
        except TimeoutError:
            facts = facts_of(self._scope)
            _log.error("%s has not answered within %g seconds (request %s)", _who(facts), patience, facts.id)
            told = "This page took too long. Please try again."
            await self._end_with(answer(Request(self._scope), 503, told, retry=True))
            return None, None

    async def _pass_on(self, message: Message) -> bool:
        """Send one message of the handler; False when something else was answered in its place."""
        if message["type"] == "http.response.start":
            try:
                await self._take_steps()
            except Exception as error:
                await self._end_with(answer_error(Request(self._scope), error))
                return False
            message["headers"] += _cookies(self._reply.own)
            self._begun = True
        await self._send(message)
        return True

    async def _take_steps(self) -> None:
        while self._reply.first:
            await self._reply.first.pop(0)()

    async def _end_with(self, response: Response) -> None:
        await _answer(self._scope, self._send, response)


def _settle(sent: asyncio.Future[None] | None) -> None:
    """Let a handler that waits until something is sent go on."""
    if sent is not None and not sent.done():
        sent.set_result(None)


def _who(facts: RequestFacts) -> str:
    return facts.handler or "A handler of a plug-in"


def _cookies(response: Response) -> Iterable[tuple[bytes, bytes]]:
    """Return a response's cookies, the last of each name and path."""
    kept: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
    for name, value in response.raw_headers:
        if name == b"set-cookie":
            parts = [part.strip() for part in value.split(b";")]
            path = next((part for part in parts if part.lower().startswith(b"path=")), b"")
            kept[parts[0].partition(b"=")[0], path] = (name, value)
    return list(kept.values())


async def _watch(receive: Receive, reply: Reply) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reply.leave()


async def _answer(scope: Scope, send: Send, response: Response) -> None:
    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    with suppress(RuntimeError):  # an answer had begun already
        await response(scope, nothing, send)


class Tornado(Application):
    """An application that writes no lines into a log: the hub writes one for each request."""

    def log_request(self, handler: RequestHandler) -> None:
        """Write nothing."""
