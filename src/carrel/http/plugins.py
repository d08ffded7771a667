"""The request as plug-ins of the hub's own log-in form get it: made by the application's state, if at all."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response


class PluginHandler(Protocol):
    """A request as `authenticate(handler, data)` expects it; nearly no authenticator looks at it."""

    def give_back(self, response: Response) -> None:
        """Put the cookies and headers that the plug-in has set into the hub's answer."""

    def __getattr__(self, name: str) -> Any: ...


class HandlerMaker(Protocol):
    """Makes such handlers."""

    def __call__(self, request: Request, body: bytes) -> PluginHandler: ...


async def handler_of(request: Request) -> PluginHandler | None:
    """Return the request for plug-ins, None where nobody makes it so; its form may still be read."""
    make: HandlerMaker | None = request.app.state.handlers
    return None if make is None else make(request, await request.body())
