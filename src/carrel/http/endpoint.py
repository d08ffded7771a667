"""Endpoints: paths, methods and a typed handler whose parameters are filled in by their names.

    @get("/users/{name:str}", scopes=("read:users",))
    async def get_user(hub: HubContext, caller: Caller, name: str, verbose: bool = False) -> UserModel:

`hub`, `caller`, `visitor`, `pages` and `request` come from the request's surroundings, names in braces from
the path, `data` is the JSON body decoded into its type, and all others are arguments of the query. What
a handler returns is sent as JSON, a text as plain text, and a Response as it is.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from carrel.domain.errors import Invalid
from carrel.http.identify import identify, require_caller
from carrel.http.pages import the_pages
from carrel.http.request import hub_of

Handler = Callable[..., Awaitable[Any]]
Fill = Callable[[Request], Any]

_encode = msgspec.json.Encoder().encode
_SURROUNDINGS: dict[str, Fill] = {"hub": hub_of, "pages": the_pages, "request": lambda request: request}
_CALLERS: dict[str, Fill] = {"caller": require_caller, "visitor": identify}
_IN_BRACES = re.compile(r"\{(\w+)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One handler and where it answers."""

    methods: tuple[str, ...]
    paths: tuple[str, ...]
    handler: Handler
    scopes: tuple[str, ...] = ()
    """Any of these is what the use case behind it asks for."""
    status: int = 200
    summary: str = ""


Decorator = Callable[[Handler], Endpoint]


def route(
    methods: Sequence[str],
    *paths: str,
    scopes: Sequence[str] = (),
    status: int = 200,
    summary: str = "",
) -> Decorator:
    """Return a decorator that makes a handler an Endpoint."""

    def declare(handler: Handler) -> Endpoint:
        return Endpoint(tuple(methods), paths, handler, tuple(scopes), status, summary)

    return declare


def get(*paths: str, scopes: Sequence[str] = (), status: int = 200, summary: str = "") -> Decorator:
    """Return a decorator for a handler that only reads."""
    return route(("GET",), *paths, scopes=scopes, status=status, summary=summary)


def post(*paths: str, scopes: Sequence[str] = (), status: int = 200, summary: str = "") -> Decorator:
    """Return a decorator for a handler that does something."""
    return route(("POST",), *paths, scopes=scopes, status=status, summary=summary)


def patch(*paths: str, scopes: Sequence[str] = (), summary: str = "") -> Decorator:
    """Return a decorator for a handler that changes something."""
    return route(("PATCH",), *paths, scopes=scopes, summary=summary)


def delete(*paths: str, scopes: Sequence[str] = (), status: int = 204, summary: str = "") -> Decorator:
    """Return a decorator for a handler that removes something."""
    return route(("DELETE",), *paths, scopes=scopes, status=status, summary=summary)


def json_reply(
    content: Any,
    status: int = 200,
    *,
    media_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Response:
    """Return `content` as a JSON answer."""
    return Response(_encode(content), status, headers, media_type)


class BoundHandler:
    """A handler with a plan for its parameters, made once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._handler = endpoint.handler
        self._status = endpoint.status
        self._scopes = endpoint.scopes
        hints = typing.get_type_hints(endpoint.handler)
        names = {name for path in endpoint.paths for name in _IN_BRACES.findall(path)}
        self._plain: list[tuple[str, Fill]] = []
        self._awaited: list[tuple[str, Fill]] = []
        for name, parameter in inspect.signature(endpoint.handler).parameters.items():
            if name in _CALLERS:
                self._awaited.append((name, _CALLERS[name]))
            elif name == "data":
                self._awaited.append((name, _body(hints[name], parameter.default)))
            else:
                self._plain.append((name, _plain(name, names, hints.get(name, str), parameter.default)))

    async def __call__(self, request: Request) -> Response:
        """Return the answer to `request`; raises domain errors."""
        values = {}
        for name, fill in self._awaited:
            values[name] = await fill(request)
            if name == "caller" and self._scopes:
                # Before the body is read: who may do nothing here learns nothing about what it should hold.
                values[name].require_any(self._scopes)
        for name, fill in self._plain:
            values[name] = fill(request)
        result = await self._handler(**values)
        if isinstance(result, Response):
            return result
        if result is None:
            return Response(status_code=self._status)
        if isinstance(result, str):
            return Response(result, self._status, {"Content-Type": "text/plain"})
        return Response(_encode(result), self._status, media_type="application/json")


def _plain(name: str, in_path: set[str], kind: Any, default: Any) -> Fill:
    if name in _SURROUNDINGS:
        return _SURROUNDINGS[name]
    if name in in_path:
        # Of several paths of one handler, some may do without it.
        return lambda request: request.path_params.get(name, default)
    return _argument(name, kind, default)


def _argument(name: str, kind: Any, default: Any) -> Fill:
    """Return what reads one argument of the query."""

    def fill(request: Request) -> Any:
        text = request.query_params.get(name)
        if text is None:
            if default is inspect.Parameter.empty:
                raise Invalid(f"The argument {name} is missing")
            return default
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            raise Invalid(f"{name}: {error}") from None

    return fill


def _body(kind: Any, default: Any) -> Fill:
    """Return what decodes the JSON body; an empty one is the parameter's default where it has one."""
    decode = msgspec.json.Decoder(kind).decode

    async def fill(request: Request) -> Any:
        body = await request.body()
        if not body.strip() and default is not inspect.Parameter.empty:
            return default
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise Invalid(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Invalid("Invalid JSON in body of request") from None

    return fill
