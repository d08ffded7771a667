"""A start or a stop while it lasts, and what to do when a start has failed."""

from __future__ import annotations

import math

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import find_server, get_server, may_read_log
from carrel.core.standing import standing, waiting_text
from carrel.domain.names import full_name, progress_path
from carrel.domain.servers import Server
from carrel.http.endpoint import get
from carrel.http.next_urls import wanted_next
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.web.visits import destination, go, spawn_url, stop_url


@get("/hub/spawn-pending/{name:str}", "/hub/spawn-pending/{name:str}/{server_name:str}")
async def spawn_pending(
    hub: HubContext, caller: Caller, pages: Pages, request: Request, name: str, server_name: str = ""
) -> Response:
    """Show how far a start is; lead on when it is ready, explain when it has failed."""
    own_default = name == caller.user.name and not server_name
    if own_default and await find_server(hub, name) is None:
        return go(f"{hub.settings.base_url}hub/home")
    server = await get_server(hub, caller, name, server_name)
    aim = wanted_next(hub, request)
    if server.ready:
        return go(destination(hub, server, aim))
    if server.pending == "stop":
        return pages.page(request, "stop_pending.html", server=server, spawner=server)
    if server.pending == "spawn":
        return await _progress(hub, pages, request, server, aim)
    if server.failure is None and own_default:
        return go(f"{hub.settings.base_url}hub/home")
    return not_running(hub, pages, request, server, aim=aim)


def not_running(
    hub: HubContext,
    pages: Pages,
    request: Request,
    server: Server,
    *,
    aim: str,
    may_start: bool = True,
) -> Response:
    """Return the page of a server that does not run, with why its last start failed and a start button."""
    failure, visitor = server.failure, facts_of(request.scope).caller
    return pages.page(
        request,
        "not_running.html",
        status=stopped_status(hub),
        server_user=server.user_name,
        server_name=server.name,
        server_label=server.display_name or server.name,
        own=visitor is not None and visitor.is_user(server.user_name),
        failed=failure is not None,
        failed_message=failure.message if failure else "",
        failed_html_message="",
        failure=failure,
        show_log=visitor is not None and may_read_log(visitor, server.user_name, server.name),
        may_start=may_start,
        spawn_url=spawn_url(hub, server.user_name, server.name),
        next=aim,
        implicit_spawn_seconds=0 if failure else math.ceil(hub.settings.implicit_spawn_seconds),
    )


def stopped_status(hub: HubContext) -> int:
    """Return the status of answers for a server that does not run."""
    return 503 if hub.settings.use_legacy_stopped_server_status_code else 424


async def _progress(hub: HubContext, pages: Pages, request: Request, server: Server, aim: str) -> Response:
    generation = max(server.generation, server.wanted_generation)
    steps = hub.progress.of(server.id, generation)
    waiting = waiting_text(await standing(hub, server)) if server.waiting else ""
    return pages.page(
        request,
        "spawn_pending.html",
        server=server,
        spawner=server,
        steps=[step for step in steps if not (step.ready or step.failed)],
        waiting=waiting,
        progress=max((step.progress for step in steps), default=0),
        stop_url=stop_url(hub, server.user_name, server.name),
        may_stop=_may_stop(request, server),
        progress_url=progress_path(hub.settings.base_url, server.user_name, server.name),
        ready_url=destination(hub, server, aim),
    )


def _may_stop(request: Request, server: Server) -> bool:
    visitor = facts_of(request.scope).caller
    full = full_name(server.user_name, server.name)
    return visitor is not None and visitor.may("delete:servers", server=full)
