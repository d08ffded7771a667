"""Hub auth for ASGI: middleware for Starlette, FastAPI and any other application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from carrel_client.auth import Answer, HubAuth, Request
from carrel_client.auth.exchange import Cookie, form_xsrf

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_LARGEST_FORM = 1024 * 1024
_DENIAL = "websocket.http.response"


class HubMiddleware:
    """Only lets in whom the hub lets in, HTTP and websockets alike, and answers the log-in's own pages.

    The application finds the `Visitor` as `scope["user"]` (Starlette: `request.user`) and the XSRF token for
    its forms as `scope["xsrf_token"]`. Paths in `public` (whole ones, with the prefix) need no log-in; there
    the user is None.
    """

    def __init__(self, app: Application, auth: HubAuth, public: Collection[str] = ()) -> None:
        self._app = app
        self._auth = auth
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if _path(scope) in self._public:
            await self._app({**scope, "user": None, "xsrf_token": ""}, receive, send)
            return
        request, receive = await _as_request(scope, receive)
        decision = await self._auth.page(request) or await self._auth.admit(request)
        if isinstance(decision, Answer):
            await _answer(scope, receive, send, decision)
            return
        admitted = {**scope, "user": decision.visitor, "xsrf_token": decision.xsrf_token}
        await self._app(admitted, receive, _with_cookies(send, decision.cookies))


def _path(scope: Scope) -> str:
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    # Servers differ in whether `path` has the mount point in it.
    return path if path == root or path.startswith(f"{root}/") else root + path


async def _as_request(scope: Scope, receive: Receive) -> tuple[Request, Receive]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    query = scope.get("query_string", b"").decode("latin-1")
    path = quote(_path(scope), safe="/:@!$&'()*+,;=~")
    request = Request(
        method=scope.get("method", "GET"),
        uri=f"{path}?{query}" if query else path,
        headers=headers,
        scheme=scope.get("scheme", "http"),
        websocket=scope["type"] == "websocket",
    )
    if not _may_bring_token_in_form(request):
        return request, receive
    body, receive = await _read_form(receive)
    return Request(request.method, request.uri, headers, request.scheme, form_xsrf=form_xsrf(body)), receive


def _may_bring_token_in_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        not request.is_safe
        and request.authorization is None
        and "x-xsrftoken" not in request.headers
        and "cookie" in request.headers
        and kind == "application/x-www-form-urlencoded"
    )


async def _read_form(receive: Receive) -> tuple[bytes, Receive]:
    """Return the form, as far as one is looked at, and what gives the application all of it again."""
    read: list[Message] = []
    body = bytearray()
    while len(body) <= _LARGEST_FORM:
        message = await receive()
        read.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            break

    async def again() -> Message:
        return read.pop(0) if read else await receive()

    return bytes(body), again


def _set_cookie(cookies: Iterable[Cookie]) -> list[tuple[bytes, bytes]]:
    return [(b"set-cookie", cookie.header().encode("latin-1")) for cookie in cookies]


def _with_cookies(send: Send, cookies: Collection[Cookie]) -> Send:
    if not cookies:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_set_cookie(cookies)]}
        await send(message)

    return sending


async def _answer(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if _DENIAL not in scope.get("extensions", {}):
            # Before it is accepted, the server says 403 to this.
            await send({"type": "websocket.close", "code": 1008})
            return
        kind = _DENIAL
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers()]
    headers += _set_cookie(answer.cookies)
    body = b"" if scope.get("method") == "HEAD" else answer.body.encode()
    headers.append((b"content-length", str(len(answer.body.encode())).encode()))
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
