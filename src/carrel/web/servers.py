"""Servers in lists: what is shown of each, what its visitor may do with it, and the form that stops one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import ask_to_stop, get_server, may_read_log, wait_until_settled
from carrel.domain.errors import CarrelError
from carrel.domain.names import escape, full_name
from carrel.domain.servers import Failure, Server
from carrel.http.csrf import check_form
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.pages import Pages
from carrel.lib.clock import Timestamp
from carrel.web.forms import Problems, carry_out
from carrel.web.menu import may_administrate
from carrel.web.visits import go, pending_url, removal_url, spawn_url, stop_url

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
    removal_url: str
    may_open: bool
    may_start: bool
    may_stop: bool
    may_remove: bool
    may_read_log: bool
    note: str = ""
    """Its devices, or the line for them that it stands in."""

    @property
    def display_name(self) -> str:
        """Return what the server is called."""
        return self.label

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self.state == "running"

    @property
    def pending(self) -> str | None:
        """Return `spawn`, `stop` or None."""
        return self.state if self.state in {"spawn", "stop"} else None


def server_line(hub: HubContext, caller: Caller, server: Server, note: str = "") -> ServerLine:
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
        url=hub.hosts.server_url(owner, name),
        pending_url=pending_url(hub, server),
        spawn_url=spawn_url(hub, owner, name),
        stop_url=stop_url(hub, owner, name),
        removal_url=removal_url(hub, owner, name),
        may_open=server.ready and caller.may("access:servers", server=full),
        may_start=not server.active and caller.may("start:servers", server=full),
        may_stop=server.active and server.pending != "stop" and caller.may("delete:servers", server=full),
        may_remove=_may_remove(hub, caller, server),
        may_read_log=may_read_log(caller, owner, name),
        note=note,
    )


def _may_remove(hub: HubContext, caller: Caller, server: Server) -> bool:
    at_rest = not (server.active or server.leaving)
    possible = bool(server.name) and hub.settings.allow_named_servers and at_rest
    return possible and caller.may("delete:servers", server=full_name(server.user_name, server.name))


def _state(server: Server) -> str:
    if server.pending:
        return server.pending
    if server.ready:
        return "running"
    return "failed" if server.failure else "stopped"


@post("/hub/stop/{name:str}", "/hub/stop/{name:str}/{server_name:str}")
async def stop(
    hub: HubContext, visitor: Caller | None, request: Request, name: str, server_name: str = ""
) -> Response:
    """Stop a server and go home, or to the page that waits for the end of a slow one."""
    if visitor is None:
        return go(login_url(request))
    await check_form(request)
    server = await ask_to_stop(hub, visitor, name, server_name)
    if server is not None:
        server = await wait_until_settled(hub, server, min(_STOP_SECONDS, hub.settings.slow_stop_timeout))
    if server is not None and server.pending is not None:
        return go(pending_url(hub, server))
    return go(f"{hub.settings.base_url}hub/home")


@get("/hub/remove/{name:str}/{server_name:str}")
async def show_removal(
    hub: HubContext, caller: Caller, pages: Pages, request: Request, name: str, server_name: str
) -> Response:
    """Ask whether a named server is really to go."""
    return _removal(hub, caller, pages, request, await get_server(hub, caller, name, server_name))


@post("/hub/remove/{name:str}/{server_name:str}")
async def send_removal(
    hub: HubContext, visitor: Caller | None, pages: Pages, request: Request, name: str, server_name: str
) -> Response:
    """Remove a named server, stopping it first, and go back to where its owner's servers are."""
    if visitor is None:
        return go(login_url(request))
    server = await get_server(hub, visitor, name, server_name)
    where, _, problem = await carry_out(request, partial(_remove, hub, visitor, name, server_name))
    if where:
        return go(where)
    return _removal(hub, visitor, pages, request, server, problem)


async def _remove(hub: HubContext, caller: Caller, name: str, server_name: str, form: FormData) -> str:
    leaving = await ask_to_stop(hub, caller, name, server_name, remove=True)
    if leaving is not None:
        await wait_until_settled(hub, leaving, min(_STOP_SECONDS, hub.settings.slow_stop_timeout))
    return _back(hub, caller, name)


def _removal(
    hub: HubContext,
    caller: Caller,
    pages: Pages,
    request: Request,
    server: Server,
    problem: CarrelError | None = None,
) -> Response:
    full = full_name(server.user_name, server.name)
    caller.require("delete:servers", user=server.user_name, server=full)
    return pages.page(
        request,
        "remove_server.html",
        status=200 if problem is None else status_of(problem),
        server=server_line(hub, caller, server),
        owner=server.user_name,
        back=_back(hub, caller, server.user_name),
        problems=Problems.of(problem),
    )


def _back(hub: HubContext, caller: Caller, owner: str) -> str:
    """Return the page that lists an owner's servers to this visitor."""
    base_url = f"{hub.settings.base_url}hub/"
    own = owner == caller.user.name or not may_administrate(caller)
    return f"{base_url}home" if own else f"{base_url}admin/users/{escape(owner)}"
