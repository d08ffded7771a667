"""The hub's ASGI application: finds the endpoint, calls it, and answers what it raises."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from carrel.core.context import HubContext
from carrel.http.endpoint import BoundHandler, Endpoint
from carrel.http.errors import answer, answer_error
from carrel.http.identify import identify
from carrel.http.imported_logins import brings_one, settle
from carrel.http.openapi import ApiDescription
from carrel.http.pages import Pages
from carrel.http.plugins import HandlerMaker
from carrel.http.request import facts_of, hub_of, is_api
from carrel.storage.base import StorageUnavailable

#: Stands for an escaped slash in a group's name while the path is matched: no name may hold this character.
_SLASH = "\ufdd0"
_MARKED = "carrel.slashes"


@dataclass(slots=True)
class Parts:
    """What every request can reach."""

    hub: HubContext
    pages: Pages | None
    description: ApiDescription
    handlers: HandlerMaker | None = None


class HubApplication:
    """Serves endpoints, each below its prefix."""

    def __init__(
        self, hub: HubContext, pages: Pages | None, endpoints: Iterable[tuple[str, Endpoint]]
    ) -> None:
        endpoints = tuple(endpoints)
        prefix = f"{hub.settings.base_url}hub/api"
        of_api = [endpoint for below, endpoint in endpoints if below == prefix]
        self.state = Parts(hub, pages, ApiDescription(prefix, of_api, hub.catalog))
        tables: dict[str, _Methods] = {}
        for prefix, endpoint in endpoints:
            handler = BoundHandler(endpoint)
            for path in endpoint.paths:
                tables.setdefault(prefix + path, _Methods()).add(endpoint.methods, handler)
        routes = [Route(path, table) for path, table in tables.items()]
        # Identity providers name groups by paths; no other name holds a slash.
        self._groups = f"{hub.settings.base_url}hub/api/groups/"
        self._router = Router(routes, redirect_slashes=False, default=self._miss)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["app"] = self
        if brings_one(scope):
            scope, send = await settle(self.state.hub, scope, send)
        raw = scope.get("raw_path", b"")
        if b"%" in raw and scope["path"].startswith(self._groups):
            scope = {**scope, "path": _marked(raw.decode("latin-1")), _MARKED: True}
        await self._router(scope, receive, send)

    async def _miss(self, scope: Any, receive: Any, send: Any) -> None:
        """Try without a slash at the end, then answer that there is nothing."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.endswith("/") and path != "/":
            await self._router({**scope, "path": path.rstrip("/")}, receive, send)
        else:
            request = Request(scope, receive)
            # The page has the visitor's menu. It must be there without a database, too.
            if not _of_the_api(request):
                with suppress(StorageUnavailable):
                    await identify(request)
            await answer(request, 404, None)(scope, receive, send)


def _marked(raw: str) -> str:
    """Return a path, decoded but for the slashes within its parts."""
    return "/".join(unquote(part).replace("/", _SLASH) for part in raw.partition("?")[0].split("/"))


async def _handle(handler: BoundHandler, request: Request) -> Response:
    """Return the handler's answer; one that only looks is asked again when the database was cut off."""
    try:
        return await handler(request)
    except StorageUnavailable:
        if request.method != "GET":
            raise
    return await handler(request)


class _Methods:
    """The handlers of one path, by method."""

    def __init__(self) -> None:
        self._handlers: dict[str, BoundHandler] = {}

    def add(self, methods: Iterable[str], handler: BoundHandler) -> None:
        self._handlers.update(dict.fromkeys(methods, handler))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get(_MARKED):
            names = scope["path_params"].items()
            scope["path_params"] = {key: value.replace(_SLASH, "/") for key, value in names}
        request = Request(scope, receive)
        handler = self._handlers.get(scope["method"])
        if handler is None and scope["method"] == "OPTIONS" and _of_the_api(request):
            # Before anybody has said who they are: browsers ask so on behalf of other sites' scripts.
            response = Response()
        elif handler is None:
            response = answer(request, 405, None)
            response.headers["Allow"] = ", ".join(self._handlers)
        else:
            facts_of(scope).handler = handler.name
            try:
                response = await _handle(handler, request)
            except ClientDisconnect:
                return
            except Exception as error:
                response = answer_error(request, error)
            finally:
                # Files of a form are open until then.
                await request.close()
        await response(scope, receive, send)


def _of_the_api(request: Request) -> bool:
    return is_api(facts_of(request.scope).path, hub_of(request).settings.base_url)
