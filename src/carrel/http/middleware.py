"""What happens around every request: its id, true address, size limit, reply headers and line in the log.

It wraps the whole application as plain ASGI: a framework's middleware sees only requests that have a route.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from carrel.http.headers import ReplyHeaders
from carrel.http.request import RequestFacts, Scope, is_api, remember
from carrel.lib.logging import ACCESS
from carrel.lib.urls import loggable

Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_MOST_KNOWN = 4096
_BODILESS = frozenset({"GET", "HEAD"})
MAX_BODY = 1024 * 1024
LOOPBACK = ("127.0.0.0/8", "::1/128")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_STOPPING = b'{"status": 503, "message": "The hub is being restarted. Please try again in a moment."}'
_RETRY = ((b"retry-after", b"2"),)
Observe = Callable[[str, str, int, float], None]


def _ignore(method: str, handler: str, status: int, seconds: float) -> None:
    """Nobody counts."""


class HubMiddleware:
    """Wraps the hub's ASGI application.

    `trusted` are the networks of our own proxies: only what comes from them may say for whom it comes
    (X-Forwarded-For, -Proto), and for which host, when `host_header` names where they do. The server below
    must not interpret those headers itself. `headers` are put on every reply.
    `observe` is told each answer's method, handler, status and seconds.
    """

    def __init__(
        self,
        app: App,
        base_url: str,
        *,
        trusted: Sequence[str] = LOOPBACK,
        host_header: str = "",
        headers: ReplyHeaders | None = None,
        max_body: int = MAX_BODY,
        observe: Observe = _ignore,
    ) -> None:
        self.wrapped = app
        self._base_url = base_url
        self._observe = observe
        self._max_body = max_body
        self._headers = headers or ReplyHeaders(base_url)
        told = f'{{"status": 413, "message": "The request body is too large: at most {max_body} bytes."}}'
        self._too_large = told.encode()
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in trusted]
        self._host_header = host_header.lower().encode()
        self._log = logging.getLogger(ACCESS)
        self._known: dict[str, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.wrapped(scope, receive, send)
            return
        began = time.monotonic()
        facts = self._look_at(scope)
        reply = _Reply(facts, self._headers, is_api(facts.path, self._base_url), send)
        try:
            await self._serve(scope, receive, reply)
        finally:
            seconds = time.monotonic() - began
            self._observe(facts.method, facts.handler, reply.status, seconds)
            self._write_line(facts, reply.status, seconds * 1000)

    async def _serve(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        if scope["method"] not in _BODILESS and _declared_length(scope) > self._max_body:
            await reply.answer(413, self._too_large)
            return
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
        body = _LimitedBody(receive, self._max_body)
        try:
            await self.wrapped(scope, body.receive, reply.send)
        except _TooLarge:
            await reply.answer(413, self._too_large)
        except asyncio.CancelledError:
            # The server below ends what is still under way when the hub stops. The task ends here anyway.
            await reply.answer(503, _STOPPING, _RETRY)
            await reply.end()

    def _look_at(self, scope: Scope) -> RequestFacts:
        peer = scope.get("client")
        client, scheme = peer[0] if peer else "", scope.get("scheme", "http")
        if not peer or self._trusts(client):
            client = self._forwarded_for(scope) or client
            proto = _header(scope, b"x-forwarded-proto").partition(",")[0].strip().lower()
            scheme = proto if proto in {"http", "https"} else scheme
            if self._host_header:
                self._take_host(scope)
        scope["scheme"] = scheme
        return remember(scope, scheme=scheme, client=client)

    def _take_host(self, scope: Scope) -> None:
        """Put the host that the outermost proxy was asked for in the place of the one that we were."""
        host = _header(scope, self._host_header).partition(",")[0].strip()
        if _HOST.fullmatch(host):
            others = [pair for pair in scope["headers"] if pair[0] != b"host"]
            scope["headers"] = [(b"host", host.encode()), *others]

    def _forwarded_for(self, scope: Scope) -> str:
        """Return the last address that is not a proxy of ours: earlier ones are the visitor's own claim."""
        entries = [entry.strip() for entry in _header(scope, b"x-forwarded-for").split(",") if entry.strip()]
        strangers = [entry for entry in entries if not self._trusts(entry)]
        return (strangers or entries or [""])[-1][:64]

    def _trusts(self, address: str) -> bool:
        trusted = self._known.get(address)
        if trusted is None:
            trusted = self._is_ours(address)
            if len(self._known) < _MOST_KNOWN:
                self._known[address] = trusted
        return trusted

    def _is_ours(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0].removeprefix("::ffff:"))
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)

    def _write_line(self, facts: RequestFacts, status: int, milliseconds: float) -> None:
        level = logging.WARNING if status >= 500 else logging.INFO
        if facts.path.endswith("/health") or (facts.method == "GET" and "/hub/static/" in facts.path):
            level = logging.DEBUG
        if self._log.isEnabledFor(level):
            who = facts.caller.name if facts.caller else ""
            method = facts.method if facts.method.isalpha() else "?"
            url, client = loggable(facts.url), loggable(facts.client)
            line = f"{status} {method} {url} ({who}@{client}) {milliseconds:.1f}ms {facts.id}"
            # Straight to the handlers: who wrote the line is always this place, and looking it up costs more.
            self._log.handle(self._log.makeRecord(ACCESS, level, __file__, 0, line, (), None))


class _TooLarge(BaseException):
    """More body than allowed came; not an Exception, so that nothing between us and the reader answers it."""


class _LimitedBody:
    """Counts what a request sends."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLarge
        return message


class _Reply:
    """Adds the headers that every reply carries, and drops the body of an answer to HEAD."""

    def __init__(self, facts: RequestFacts, headers: ReplyHeaders, api: bool, send: Send) -> None:
        self.api = api
        self.status = 0
        self._facts = facts
        self._headers = headers
        self._send = send
        self._head = facts.method == "HEAD"
        self._ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._complete(list(message.get("headers", ())))}
        elif self._head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        self._ended = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    async def answer(self, status: int, body: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer, unless an answer has begun."""
        if self.status:
            return
        headers = [(b"content-length", str(len(body)).encode()), *more]
        if body:
            headers.append((b"content-type", b"application/json"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        """Close what is being streamed, as far as it has come."""
        if not self._ended:
            await self.send({"type": "http.response.body", "body": b""})

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower(): value for name, value in headers}
        if self.api:
            added = self._headers.api(self._facts)
        else:
            added = self._headers.page(self._facts, present.get(b"content-type", b""))
        return headers + [pair for pair in added if pair[0] not in present]


def _header(scope: Scope, name: bytes) -> str:
    """Return a header's values joined by commas, as a proxy that appends may have sent two lines."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _declared_length(scope: Scope) -> int:
    text = _header(scope, b"content-length")
    return int(text) if text.isdigit() else 0
