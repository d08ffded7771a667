"""A user's default server: start, stop, look, watch."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from carrel.api.models import FailureModel, ServerModel, failure_model, server_model
from carrel.core import servers
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.drivers import ready_event
from carrel.domain.errors import Invalid
from carrel.domain.events import ServerProgress
from carrel.domain.names import full_name
from carrel.domain.servers import Server
from carrel.http.body import decoder, read
from carrel.http.endpoint import Answer, delete, get, json_reply, post

_KEEP_ALIVE = 8.0
_decode = decoder(Any)
_STREAM = "`data: JSON` and a blank line for each step, and a blank line now and then while there is none."


class StartBody(Struct):
    """What a start takes. An object with neither of these fields is itself the options."""

    user_options: dict[str, Any] | None = None
    """Left out or null: those of the last time."""
    display_name: str = ""


class FailedStart(Struct):
    """A start that failed while its answer was waited for."""

    status: int
    message: str
    failure: FailureModel | UnsetType = UNSET


class StepModel(Struct):
    """A step of a start; the last one has `ready` or `failed`."""

    progress: int
    """0 to 100."""
    message: str
    html_message: str | UnsetType = UNSET
    ready: bool | UnsetType = UNSET
    url: str | UnsetType = UNSET
    failed: bool | UnsetType = UNSET
    failure: FailureModel | UnsetType = UNSET


@get("/users/{name:str}/server", summary="Get a server", scopes=("read:servers",))
async def get_server(hub: HubContext, caller: Caller, name: str) -> ServerModel:
    """Return the user's default server."""
    server = await servers.look_at_server(hub, caller, name)
    ahead = await servers.count_ahead(hub, server) if server.waiting else None
    return server_model(server, hub.settings.base_url, caller, ahead)


@post(
    "/users/{name:str}/server",
    summary="Start a server",
    scopes=("start:servers",),
    responses={
        201: Answer("It is ready; the answer is empty."),
        202: Answer("It is on its way; the answer is empty."),
        500: Answer("It failed in time to say so here.", FailedStart),
    },
    errors=(429,),
    body=StartBody | None,
    example={"user_options": {"profile": "small"}},
)
async def start_server(hub: HubContext, caller: Caller, name: str, request: Request) -> Response:
    """Start the user's default server: 201 when it is ready in time, 202 while it is on its way.

    The body holds the options, or an object with `user_options`; nothing means those of the last time.
    """
    server = await servers.ask_to_start(hub, caller, name, options=_options(await read(request)))
    settled = await servers.wait_until_settled(hub, server, hub.settings.slow_spawn_timeout)
    if settled is not None and settled.pending is None and not settled.ready:
        failure = settled.failure
        message = failure.message if failure else "The server did not start."
        answer: dict[str, Any] = {"status": 500, "message": message}
        if failure:
            answer["failure"] = failure_model(failure, caller, name)
        return json_reply(answer, 500)
    ready = settled is not None and settled.ready
    return Response(b"", 201 if ready else 202, {"Content-Type": "text/plain"})


@delete(
    "/users/{name:str}/server",
    summary="Stop a server",
    scopes=("delete:servers",),
    responses={
        204: Answer("It has stopped; the answer is empty."),
        202: Answer("It is on its way; the answer is empty."),
    },
    body=dict[str, Any] | None,
)
async def stop_server(hub: HubContext, caller: Caller, name: str, request: Request) -> Response:
    """Stop the user's default server: 204 when it has stopped in time, 202 while it is on its way."""
    if _object(await read(request)).get("remove"):
        raise Invalid("Cannot delete the default server")
    server = await servers.ask_to_stop(hub, caller, name)
    if server is not None:
        server = await servers.wait_until_settled(hub, server, hub.settings.slow_stop_timeout)
    stopping = server is not None and server.pending is not None
    return Response(status_code=202 if stopping else 204)


@get(
    "/users/{name:str}/server/progress",
    summary="Watch a start",
    scopes=("read:servers",),
    responses={200: Answer(_STREAM, StepModel, "text/event-stream")},
    errors=(400,),
)
async def watch_server(hub: HubContext, caller: Caller, name: str) -> StreamingResponse:
    """Return the steps of the present start as server-sent events, up to its outcome."""
    server = await servers.get_server(hub, caller, name)
    if not server.ready and server.pending != "spawn" and server.failure is None:
        raise Invalid(f"{full_name(name, server.name).rstrip('/')} is not starting")
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(hub, server, caller), headers=headers)


async def _events(hub: HubContext, server: Server, caller: Caller) -> AsyncIterator[bytes]:
    steps = servers.watch_start(hub, server)
    following = asyncio.ensure_future(anext(steps))
    try:
        while True:
            done, _ = await asyncio.wait((following,), timeout=_KEEP_ALIVE)
            if not done:
                yield b"\n\n"
                continue
            model = _step_model(hub, server, following.result(), caller)
            if "ready" in model:
                model = await ready_event(hub, server, model)
            yield b"data: " + msgspec.json.encode(model) + b"\n\n"
            following = asyncio.ensure_future(anext(steps))
    except StopAsyncIteration:
        return
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await steps.aclose()  # type: ignore[attr-defined]


def _step_model(hub: HubContext, server: Server, step: ServerProgress, caller: Caller) -> dict[str, Any]:
    model: dict[str, Any] = {"progress": step.progress, "message": step.message}
    if step.html_message:
        model["html_message"] = step.html_message
    if step.failed:
        model["failed"] = True
    if step.failure:
        model["failure"] = failure_model(step.failure, caller, server.user_name, server.name)
        model["html_message"] = "<br>".join(
            html.escape(text) for text in (step.failure.message, step.failure.hint) if text
        )
    if step.ready:
        url = servers.server_path(hub, server)
        model |= {"ready": True, "url": url, "html_message": f'Server ready at <a href="{url}">{url}</a>'}
    return model


def _object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, an empty one for no body and for null."""
    parsed = _decode(body) if body.strip() else None
    if not isinstance(parsed, dict | None):
        raise Invalid("Body must be a JSON object")
    return parsed or {}


def _options(body: bytes) -> dict[str, Any] | None:
    parsed = _object(body)
    if not isinstance(parsed.get("display_name", ""), str):
        raise Invalid("display_name must be a string")
    options = parsed.get("user_options") if parsed.keys() & {"user_options", "display_name"} else parsed
    if not isinstance(options, dict | None):
        raise Invalid("user_options must be an object or null")
    return options or None
