"""The ASGI middleware, as a server calls it."""

from __future__ import annotations

from typing import Any

import pytest
from auth_hub import PREFIX, Browser, MemoryHub, service

from carrel_client.asgi import HubMiddleware, Message, Receive, Scope, Send


class Server:
    """Calls the middleware around an application that keeps what it is given."""

    def __init__(self) -> None:
        self.hub = MemoryHub()
        self.browser = Browser(service(self.hub))
        self.app = HubMiddleware(self._application, self.browser.auth, public=[f"{PREFIX}health"])
        self.seen: list[Scope] = []
        self.body = b""

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        more = scope["type"] == "http"
        while more:
            message = await receive()
            self.body += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, path: str = "", chunks: tuple[bytes, ...] = (b"",), **scope: Any) -> list[Message]:
        """Return what the server would send."""
        incoming: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": number + 1 < len(chunks)}
            for number, chunk in enumerate(chunks)
        ]
        if scope.get("type") == "websocket":
            incoming = [{"type": "websocket.connect"}]
        sent: list[Message] = []

        async def receive() -> Message:
            return incoming.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        cookie = "; ".join(f"{name}={value}" for name, value in self.browser.jar.items())
        scope["headers"] = [(b"cookie", cookie.encode()), *scope.get("headers", [])]
        common = {"type": "http", "method": "GET", "path": f"{PREFIX}{path}", "query_string": b""}
        await self.app({**common, **scope}, receive, send)
        return sent


FORM = (b"content-type", b"application/x-www-form-urlencoded")
TOKEN = (b"authorization", b"token a")


async def test_the_application_sees_the_visitor() -> None:
    server = Server()
    (start, _) = await server.ask(headers=[TOKEN])
    assert (start["status"], start["headers"]) == (200, [(b"x-app", b"1")])
    assert server.seen[0]["user"].name == "alice"
    assert server.seen[0]["xsrf_token"] == ""


async def test_a_stranger_never_reaches_the_application() -> None:
    server = Server()
    (start, body) = await server.ask(headers=[(b"accept", b"application/json")])
    assert (start["status"], b"Log in first" in body["body"]) == (403, True)
    (start, _) = await server.ask("ä/b", query_string=b"c=d%20e")
    headers = dict(start["headers"])
    assert start["status"] == 302
    assert headers[b"location"].startswith(b"/hub/api/oauth2/authorize?")
    assert headers[b"cache-control"] == b"no-store"
    assert server.seen == []


async def test_public_paths_are_whole_ones() -> None:
    server = Server()
    await server.ask("health")
    assert server.seen[0]["user"] is None
    for path in ("health/", "healthy", "x/../health", "Health"):
        assert (await server.ask(path))[0]["status"] == 302, path
    assert len(server.seen) == 1


@pytest.mark.parametrize(("path", "root"), [(f"{PREFIX}health", PREFIX[:-1]), ("/health", PREFIX[:-1])])
async def test_a_mounted_application(path: str, root: str) -> None:
    server = Server()
    scope = {"type": "http", "method": "GET", "path": path, "root_path": root, "headers": []}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    await server.app(scope, receive, send)
    assert server.seen[0]["user"] is None


async def test_a_form_brings_its_token_and_reaches_the_application_whole() -> None:
    server = Server()
    await server.browser.log_in()
    (start, _) = await server.ask()
    assert any(name == b"set-cookie" and value.startswith(b"_xsrf=") for name, value in start["headers"])
    token = server.seen[0]["xsrf_token"].encode()
    chunks = (b"greeting=Hi&_x", b"srf=" + token)
    (start, _) = await server.ask(method="POST", headers=[FORM], chunks=chunks)
    assert (start["status"], server.body) == (200, b"".join(chunks))
    (start, _) = await server.ask(method="POST", headers=[FORM], chunks=(b"greeting=Hi",))
    assert start["status"] == 403
    large = (b"a=" + b"x" * 1024 * 1024, b"&_xsrf=" + token)
    (start, _) = await server.ask(method="POST", headers=[FORM], chunks=large)
    assert start["status"] == 403, "what is too large to be looked through holds no token"


async def test_websockets() -> None:
    server = Server()
    assert await server.ask(type="websocket") == [{"type": "websocket.close", "code": 1008}]
    denial: dict[str, Any] = {"websocket.http.response": {}}
    start, _ = await server.ask(type="websocket", extensions=denial)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert server.seen == []
    assert await server.ask(type="websocket", headers=[TOKEN]) == [{"type": "websocket.accept"}]
    assert server.seen[0]["user"].name == "alice"


async def test_the_lifespan_goes_through() -> None:
    server = Server()
    await server.ask(type="lifespan")
    assert "user" not in server.seen[0]
