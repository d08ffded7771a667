"""Endpoints: paths, methods and a typed handler whose parameters are filled in by their names.

    @get("/users/{name:str}", scopes=("read:users",))
    async def get_user(hub: HubContext, caller: Caller, name: str, verbose: bool = False) -> UserModel:

`hub`, `caller`, `visitor`, `pages` and `request` come from the request's surroundings, names in braces from
the path, `data` is the JSON body decoded into its type, and all others are arguments of the query. What
a handler returns is sent as JSON, a text as plain text, and a Response as it is.

From the same declarations comes the API's description (`http/openapi.py`). What cannot be read off a handler
is said at its decorator: `responses`, `errors`, `query` and `body`.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypedDict, Unpack

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from carrel.domain.errors import Invalid, NotFound
from carrel.http import body
from carrel.http.identify import identify, require_caller
from carrel.http.pages import the_pages
from carrel.http.request import hub_of

Handler = Callable[..., Awaitable[Any]]
Fill = Callable[[Request], Any]

_encode = msgspec.json.Encoder().encode
_SURROUNDINGS: dict[str, Fill] = {"hub": hub_of, "request": lambda request: request}
_CALLERS: dict[str, Fill] = {"caller": require_caller, "visitor": identify}
_IN_BRACES = re.compile(r"\{(\w+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes with one status; without a model the answer is empty."""

    text: str
    model: Any = None
    """The type whose JSON it is; several of them as a tuple."""
    media_type: str = "application/json"
    """For `text/event-stream`, `model` is what each event carries."""

    @property
    def models(self) -> tuple[Any, ...]:
        """Return the types of which the answer has one."""
        if self.model is None:
            return ()
        return self.model if isinstance(self.model, tuple) else (self.model,)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of the query that a handler reads itself."""

    name: str
    text: str
    kind: Any = str


class Details(TypedDict, total=False):
    """What may be said of an endpoint beside its paths."""

    scopes: tuple[str, ...]
    status: int
    summary: str
    responses: Mapping[int, Answer]
    errors: Sequence[int]
    query: Sequence[Argument]
    body: Any
    takes: str
    example: Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One handler and where it answers."""

    methods: tuple[str, ...]
    paths: tuple[str, ...]
    handler: Handler
    scopes: tuple[str, ...] = ()
    """Any of these is what the use case behind it asks for."""
    status: int = 200
    """Of the answer when the handler returns none."""
    summary: str = ""
    responses: Mapping[int, Answer] = field(default_factory=dict)
    """What can be answered beside, or instead of, what the handler's annotation says."""
    errors: Sequence[int] = ()
    """Statuses of errors beside those that come with what the endpoint takes."""
    query: Sequence[Argument] = ()
    body: Any = None
    """The type of a body that the handler reads itself."""
    takes: str = "application/json"
    """The media type of the body."""
    example: Any = None
    """A body that would do."""


Decorator = Callable[[Handler], Endpoint]


def route(methods: Sequence[str], *paths: str, **details: Unpack[Details]) -> Decorator:
    """Return a decorator that makes a handler an Endpoint."""

    def declare(handler: Handler) -> Endpoint:
        return Endpoint(tuple(methods), paths, handler, **details)

    return declare


def get(*paths: str, **details: Unpack[Details]) -> Decorator:
    """Return a decorator for a handler that only reads."""
    return route(("GET",), *paths, **details)


def post(*paths: str, **details: Unpack[Details]) -> Decorator:
    """Return a decorator for a handler that does something."""
    return route(("POST",), *paths, **details)


def put(*paths: str, **details: Unpack[Details]) -> Decorator:
    """Return a decorator for a handler that replaces something."""
    return route(("PUT",), *paths, **details)


def patch(*paths: str, **details: Unpack[Details]) -> Decorator:
    """Return a decorator for a handler that changes something."""
    return route(("PATCH",), *paths, **details)


def delete(*paths: str, **details: Unpack[Details]) -> Decorator:
    """Return a decorator for a handler that removes something, and answers 204 by itself."""
    details.setdefault("status", 204)
    return route(("DELETE",), *paths, **details)


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
        self.name = f"{endpoint.handler.__module__}.{endpoint.handler.__qualname__}"
        self._handler = endpoint.handler
        self._status = endpoint.status
        self._scopes = endpoint.scopes
        names = {name for path in endpoint.paths for name in _IN_BRACES.findall(path)}
        self._plain: list[tuple[str, Fill]] = []
        self._awaited: list[tuple[str, Fill]] = []
        pages: list[tuple[str, Fill]] = []
        for name, kind, default in _parameters(endpoint.handler):
            if name in _CALLERS:
                self._awaited.append((name, _CALLERS[name]))
            elif name == "pages":
                pages = [(name, the_pages)]
            elif name == "data":
                self._awaited.append((name, _body(kind, default)))
            else:
                self._plain.append((name, _plain(name, names, kind, default)))
        # What stands on every page depends on who is there.
        self._awaited += pages

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


@cache
def _parameters(handler: Handler) -> tuple[tuple[str, Any, Any], ...]:
    """Return name, type and default of each parameter."""
    hints = typing.get_type_hints(handler, include_extras=True)
    parameters = inspect.signature(handler).parameters.items()
    return tuple((name, hints.get(name, str), parameter.default) for name, parameter in parameters)


def _plain(name: str, in_path: set[str], kind: Any, default: Any) -> Fill:
    if name in _SURROUNDINGS:
        return _SURROUNDINGS[name]
    if name in in_path:
        return lambda request: _in_path(request, name, default)
    return _argument(name, kind, default)


def _in_path(request: Request, name: str, default: Any) -> Any:
    # A path without it, where a handler has several, leaves it at its default.
    value = request.path_params.get(name, default)
    if isinstance(value, str) and "\0" in value:
        # No name has one, and PostgreSQL cannot even be asked.
        raise NotFound
    return value


def _argument(name: str, kind: Any, default: Any) -> Fill:
    """Return what reads one argument of the query."""

    def fill(request: Request) -> Any:
        text = request.query_params.get(name)
        if text is None:
            if default is inspect.Parameter.empty:
                raise Invalid(f"The argument {name} is missing")
            return default
        if "\0" in text:
            raise Invalid(f"{name}: the character NUL stands in it")
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            raise Invalid(body.shorten(f"{name}: {error}")) from None

    return fill


def _body(kind: Any, default: Any) -> Fill:
    """Return what decodes the JSON body; an empty one is the parameter's default where it has one."""
    decode = body.decoder(kind)

    async def fill(request: Request) -> Any:
        sent = await body.read(request)
        if not sent.strip() and default is not inspect.Parameter.empty:
            return default
        return decode(sent)

    return fill
