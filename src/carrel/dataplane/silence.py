"""Connections that mind how long nothing has come or gone; used only when a limit on silence is set."""

from __future__ import annotations

import time

from carrel.dataplane.client import ClientConnection
from carrel.dataplane.engine import Engine
from carrel.dataplane.exchange import Downstream
from carrel.dataplane.request import Request
from carrel.dataplane.upstream import UpstreamConnection


class MindedUpstream(UpstreamConnection):
    """Notes when bytes come from the server."""

    __slots__ = ()

    def start(self, client: Downstream, request: Request) -> None:
        request.moved = time.monotonic()
        super().start(client, request)

    def data_received(self, data: bytes) -> None:
        if self.request is not None:
            self.request.moved = time.monotonic()
        super().data_received(data)


class MindedClient(ClientConnection):
    """Ends a request on which nothing has come or gone for too long; a tunnel is not one."""

    __slots__ = ("_client_seconds", "_server_seconds")

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._client_seconds = engine.limits.silent_client_seconds
        self._server_seconds = engine.limits.silent_server_seconds

    def _serve(self, request: Request) -> None:
        # Not since it was received: it may have waited for the answer to another.
        request.moved = time.monotonic()
        super()._serve(request)

    def body(self, request: Request, data: bytes) -> None:
        request.moved = time.monotonic()
        super().body(request, data)

    def resume_writing(self) -> None:
        if self._current is not None:
            self._current.moved = time.monotonic()
        super().resume_writing()

    def sweep(self, now: float) -> None:
        super().sweep(now)
        request = self._current
        if request is None:
            return
        silent = time.monotonic() - request.moved
        if self._client_seconds and silent > self._client_seconds:
            self._leave_upstream()
            self.cut(request, reset=True)
        elif not self.slow and self._server_seconds and silent > self._server_seconds:
            self._leave_upstream()
            self.broken(request, 503)
