"""Servers in lists: what is shown of each, what its visitor may do with it, and the form that stops one."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import ask_to_stop, may_read_log, server_path, wait_until_settled
from carrel.domain.names import full_name
from carrel.domain.servers import Failure, Server
from carrel.http.csrf import check_form
from carrel.http.endpoint import post
from carrel.http.errors import login_url
from carrel.lib.clock import Timestamp
from carrel.web.visits import go, pending_url, spawn_url, stop_url

_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One server as a page lists it."""

    name: str
    full: str
    """`user/server`, as forms name it."""
    label: str
    state: str
    """`running`, `spawn`, `stop`, `failed` or `stopped`."""
    failure: Failure | None
    active: bool
    started: Timestamp | None
    last_activity: Timestamp | None
    url: str
    pending_url: str
    spawn_url: str
    stop_url: str
    may_open: bool
    may_start: bool
    may_stop: bool
    may_read_log: bool


def server_line(hub: HubContext, caller: Caller, server: Server) -> ServerLine:
    """Return a server as `caller` sees it in a list."""
    owner, name = server.user_name, server.name
    full = full_name(owner, name)
    return ServerLine(
        name=name,
        full=full,
        label=server.display_name or name or "Default server",
        state=_state(server),
        failure=server.failure,
        active=server.active,
        started=server.started if server.active else None,
        last_activity=max(server.last_activity or 0.0, server.started or 0.0) or None,
        url=server_path(hub, server),
        pending_url=pending_url(hub, server),
        spawn_url=spawn_url(hub, owner, name),
        stop_url=stop_url(hub, owner, name),
        may_open=server.ready and caller.may("access:servers", server=full),
        may_start=not server.active and caller.may("start:servers", server=full),
        may_stop=server.active and server.pending != "stop" and caller.may("delete:servers", server=full),
        may_read_log=may_read_log(caller, owner, name),
    )


def _state(server: Server) -> str:
    if server.pending:
        return server.pending
    if server.ready:
        return "running"
    return "failed" if server.failure else "stopped"


@post("/hub/stop/{name:str}", "/hub/stop/{name:str}/{server:str}")
async def stop(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Stop a server and go home, or to the page that waits for the end of a slow one."""
    if visitor is None:
        return go(login_url(request))
    await check_form(request)
    owner, name = request.path_params["name"], request.path_params.get("server", "")
    server = await ask_to_stop(hub, visitor, owner, name)
    if server is not None:
        server = await wait_until_settled(hub, server, min(_STOP_SECONDS, hub.settings.slow_stop_timeout))
    if server is not None and server.pending is not None:
        return go(pending_url(hub, server))
    return go(f"{hub.settings.base_url}hub/home")
