"""An application that has never heard of a hub: it shows what it is asked, streams, and echoes websockets."""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import WSMsgType, web


async def show(request: web.Request) -> web.Response:
    """Return the request as it came."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.raw_headers]
    body = (await request.read()).decode("latin-1")
    token = os.environ.get("JUPYTERHUB_API_TOKEN")
    shown = {
        "path": request.raw_path,
        "method": request.method,
        "headers": headers,
        "body": body,
        "token": token,
    }
    return web.json_response({**shown, "key": os.environ.get("CARREL_IDENTITY_KEY")})


async def answer(request: web.Request) -> web.Response:
    """Return the headers that the query asks for, one `h=Name: value` each."""
    headers = [tuple(each.split(": ", 1)) for each in request.query.getall("h", [])]
    reply = web.Response(
        text="x" * int(request.query.get("size", "0")), status=int(request.query.get("status", "200"))
    )
    for name, value in headers:
        reply.headers.add(name, value)
    return reply


async def stream(request: web.Request) -> web.StreamResponse:
    """Send one event, and the next one only when somebody has asked for it."""
    reply = web.StreamResponse()
    await reply.prepare(request)
    for number in range(2):
        await reply.write(f"event {number}\n".encode())
        if number == 0:
            await request.app["next"].wait()
    return reply


async def go_on(request: web.Request) -> web.Response:
    request.app["next"].set()
    return web.Response()


async def echo(request: web.Request) -> web.WebSocketResponse:
    channel = web.WebSocketResponse()
    await channel.prepare(request)
    async for message in channel:
        if message.type == WSMsgType.TEXT:
            await channel.send_str(f"echo {message.data}")
        elif message.type == WSMsgType.BINARY:
            await channel.send_bytes(message.data)
    return channel


async def end(request: web.Request) -> web.Response:
    asyncio.get_running_loop().call_soon(os._exit, 7)
    return web.Response()


async def prepare(app: web.Application) -> None:
    app["next"] = asyncio.Event()


def main() -> None:
    """Listen at the port or socket and below the path that the arguments say, once a file is there."""
    where, base, *wait = sys.argv[1:]
    while wait and not os.path.exists(wait[0]):
        asyncio.run(asyncio.sleep(0.05))
    app = web.Application(client_max_size=2**30)
    app.on_startup.append(prepare)
    routes = {"stream": stream, "go-on": go_on, "ws": echo, "answer": answer, "end": end}
    app.add_routes([web.get(f"{base}{name}", handler) for name, handler in routes.items()])
    app.add_routes([web.route("*", "/{rest:.*}", show)])
    if where.isdigit():
        web.run_app(app, host="127.0.0.1", port=int(where), print=None)
    else:
        web.run_app(app, path=where, print=None)


if __name__ == "__main__":
    main()
