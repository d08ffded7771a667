"""A user's servers, the default one and named ones: start, stop, look, watch, change."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response, StreamingResponse

from carrel.api.models import FailureModel, ServerModel, failure_model, moment, server_model, usage_model
from carrel.core import server_records, servers
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.drivers import ready_event
from carrel.core.server_records import ServerChanges
from carrel.core.standing import standing
from carrel.core.usage import usage_of
from carrel.domain.errors import Invalid
from carrel.domain.events import ServerProgress
from carrel.domain.names import server_label
from carrel.domain.profiles import OPTIONS, PROFILE
from carrel.domain.servers import Server
from carrel.http.endpoint import Answer, delete, get, json_reply, patch, post, put

_KEEP_ALIVE = 8.0
_STREAM = "`data: JSON` and a blank line for each step, and a blank line now and then while there is none."
#: With an empty name at its end JupyterHub means the default server, too.
_PATHS = (
    "/users/{name:str}/server",
    "/users/{name:str}/servers/{server:str}",
    "/users/{name:str}/servers/",
)
_PROGRESS = ("/users/{name:str}/server/progress", "/users/{name:str}/servers/{server:str}/progress")


class StartBody(Struct):
    """What a start takes. An object with neither `user_options` nor `display_name` is itself the options."""

    profile: str = ""
    """Where the hub has profiles: one that the owner may choose; left out, the default."""
    options: dict[str, Any] | None = None
    """Values of the profile's options, by their names; what is left out is as the profile says."""
    user_options: dict[str, Any] | None = None
    """The options of a hub without profiles. Left out or null, with nothing else: those of the last time."""
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
    queue_position: int | UnsetType = UNSET
    """While it waits in the queue of its back end: how many are ahead, when that is known."""
    expected_start: str | UnsetType = UNSET
    """When it is expected to leave that queue."""
    ready: bool | UnsetType = UNSET
    url: str | UnsetType = UNSET
    failed: bool | UnsetType = UNSET
    failure: FailureModel | UnsetType = UNSET


class ServerBody(Struct, forbid_unknown_fields=True):
    """The body of PATCH; what is absent stays as it is."""

    name: str | UnsetType | None = UNSET
    display_name: str | UnsetType | None = UNSET
    user_options: dict[str, Any] | UnsetType = UNSET


class StopBody(Struct):
    """The body of DELETE."""

    remove: bool = False
    """Remove a named server for good, once it has stopped."""


@get(*_PATHS, summary="Get a server", scopes=("read:servers",))
async def get_server(hub: HubContext, caller: Caller, name: str, server: str = "") -> ServerModel:
    """Return a server, whether it runs or not."""
    found = await servers.look_at_server(hub, caller, name, server)
    model, usage = await _model(hub, caller, found), await usage_of(hub, found)
    if usage is not None:
        model.usage = usage_model(usage)
    return model


@post(
    *_PATHS,
    summary="Start a server",
    scopes=("start:servers",),
    responses={
        201: Answer("It is ready; the answer is empty."),
        202: Answer("It is on its way; the answer is empty."),
        500: Answer("It failed in time to say so here.", FailedStart),
    },
    errors=(429,),
    body=StartBody | None,
    example={"profile": "large", "options": {"memory": 16}},
)
async def start_server(
    hub: HubContext, caller: Caller, name: str, server: str = "", data: dict[str, Any] | None = None
) -> Response:
    """Start a server: 201 when it is ready in time, 202 while it is on its way.

    The body holds the options (with profiles, `profile` and `options`), or an object with `user_options` and
    `display_name`; nothing means the options of the last time. A named server that does not exist is created.
    """
    display_name, options = _described(data)
    row = await servers.ask_to_start(hub, caller, name, server, options, display_name=display_name)
    settled = await servers.wait_until_settled(hub, row, hub.settings.slow_spawn_timeout)
    if settled is not None and settled.pending is None and not settled.ready:
        failure = settled.failure
        message = failure.message if failure else "The server did not start."
        answer: dict[str, Any] = {"status": 500, "message": message}
        if failure:
            answer["failure"] = failure_model(failure, caller, name, server)
        return json_reply(answer, 500)
    ready = settled is not None and settled.ready
    return Response(b"", 201 if ready else 202, {"Content-Type": "text/plain"})


@put(
    *_PATHS,
    summary="Create a server",
    status=201,
    scopes=("start:servers",),
    body=StartBody | None,
    errors=(409,),
    example={"display_name": "The big one", "profile": "large"},
)
async def create_server(
    hub: HubContext, caller: Caller, name: str, server: str = "", data: dict[str, Any] | None = None
) -> ServerModel:
    """Create a named server without starting it, and return it. The body is that of a start."""
    display_name, options = _described(data)
    made = await server_records.create_server(
        hub, caller, name, server, display_name=display_name, options=options
    )
    return await _model(hub, caller, made)


@patch(
    *_PATHS,
    summary="Change a server",
    scopes=("start:servers",),
    errors=(409,),
    example={"name": "big", "display_name": "The big one"},
)
async def change_server(
    hub: HubContext, caller: Caller, name: str, server: str = "", data: ServerBody | None = None
) -> ServerModel:
    """Rename a server that does not run, or change what it is called and its options; return it."""
    given = {} if data is None else msgspec.structs.asdict(data)
    changes = ServerChanges(**{key: value for key, value in given.items() if value is not UNSET})
    return await _model(hub, caller, await server_records.change_server(hub, caller, name, server, changes))


@delete(
    *_PATHS,
    summary="Stop a server",
    scopes=("delete:servers",),
    responses={
        204: Answer("It has stopped; the answer is empty."),
        202: Answer("It is on its way; the answer is empty."),
    },
    example={"remove": True},
)
async def stop_server(
    hub: HubContext, caller: Caller, name: str, server: str = "", data: StopBody | None = None
) -> Response:
    """Stop a server, and remove it with `remove`: 204 when that is done in time, 202 while it goes on."""
    remove = data is not None and data.remove
    row = await servers.ask_to_stop(hub, caller, name, server, remove=remove)
    if row is not None:
        row = await servers.wait_until_settled(hub, row, hub.settings.slow_stop_timeout)
    if row is not None and (row.pending is not None or row.leaving):
        return Response(b"", 202, {"Content-Type": "text/plain"})
    return Response(status_code=204)


@get(
    *_PROGRESS,
    summary="Watch a start",
    scopes=("read:servers",),
    responses={200: Answer(_STREAM, StepModel, "text/event-stream")},
    errors=(400,),
)
async def watch_server(hub: HubContext, caller: Caller, name: str, server: str = "") -> StreamingResponse:
    """Return the steps of the present start as server-sent events, up to its outcome."""
    row = await servers.get_server(hub, caller, name, server)
    if not row.ready and row.pending != "spawn" and row.failure is None:
        raise Invalid(f"{server_label(name, server)} is not starting...")
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(hub, row, caller), headers=headers)


async def _model(hub: HubContext, caller: Caller, server: Server) -> ServerModel:
    return server_model(server, hub.hosts, caller, await standing(hub, server))


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
    if step.ahead is not None:
        model["queue_position"] = step.ahead
    if step.expected is not None:
        model["expected_start"] = moment(step.expected)
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


def _described(body: dict[str, Any] | None) -> tuple[str, dict[str, Any] | None]:
    """Return display name and options of a body; with neither of their names in it, all of it is options."""
    body = dict(body or {})
    display_name = body.get("display_name", "")
    if not isinstance(display_name, str):
        raise Invalid("display_name must be a string")
    if "user_options" in body:
        options = body["user_options"]
    elif "display_name" in body:
        options = {key: body[key] for key in (PROFILE, OPTIONS) if key in body}
    else:
        options = body
    if not isinstance(options, dict | None):
        raise Invalid("user_options must be an object or null")
    return display_name, options or None
