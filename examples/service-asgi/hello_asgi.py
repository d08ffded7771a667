"""A service on ASGI: a page with a form, an API and a websocket, for whom the hub admits."""

from __future__ import annotations

import os
from html import escape
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from carrel_client.asgi import HubMiddleware
from carrel_client.auth import HubAuth

auth = HubAuth.from_environment()
prefix = auth.settings.prefix
greeting = {"text": "Hello"}


async def page(request: Request) -> Response:
    return HTMLResponse(
        f"<h1>{escape(greeting['text'])}, {escape(request.user.display_name)}</h1>"
        f'<form method="post"><input type="hidden" name="_xsrf" value="{request.scope["xsrf_token"]}">'
        f'<input name="greeting"><button>Change</button></form>'
        f'<a href="{auth.logout_path}">Log out</a>'
    )


async def change(request: Request) -> Response:
    async with request.form() as form:
        greeting["text"] = str(form["greeting"])
    return RedirectResponse(prefix, 303)


async def me(request: Request) -> Response:
    return JSONResponse({"name": request.user.name, "groups": request.user.groups})


async def health(request: Request) -> Response:
    return PlainTextResponse("well")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{websocket.user.name}: {text}")


routes = [
    Route("/", page),
    Route("/", change, methods=["POST"]),
    Route("/api/me", me),
    Route("/health", health),
    WebSocketRoute("/echo", echo),
]
app = Starlette(
    routes=[Mount(prefix.rstrip("/"), routes=routes)],
    middleware=[Middleware(HubMiddleware, auth=auth, public=[f"{prefix}health"])],
)

if __name__ == "__main__":
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    uvicorn.run(app, host=url.hostname or "127.0.0.1", port=url.port or 80, log_level="warning")
