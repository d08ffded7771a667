"""The link that opens a Git repository in a server of the visitor's own, after they have agreed."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.repositories import Launch, launch, look_at_launch
from carrel.domain.errors import CarrelError, Invalid
from carrel.domain.repositories import FIELDS
from carrel.domain.servers import Server
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.lib.urls import first_argument, with_arguments
from carrel.web.forms import read_form, text
from carrel.web.visits import destination, go, pending_url


@get("/hub/launch")
async def show_launch(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """Show what a link would start, and ask; lead on to what is open already. Starts nothing.

    Links come from anywhere: whoever follows one has to see whose code it is.
    """
    query = facts_of(request.scope).query
    asked = {name: first_argument(query, name) for name in FIELDS}
    try:
        found = await look_at_launch(hub, caller, asked)
    except Invalid as wrong:
        return _page(pages, request, asked, None, wrong)
    if found.is_open and found.server is not None:
        return _lead_on(hub, found, found.server)
    return _page(pages, request, asked, found)


@post("/hub/launch")
async def send_launch(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Start what the visitor has agreed to, and show how far it is."""
    if visitor is None:
        return go(login_url(request))
    form, problem = await read_form(request)
    asked = {name: text(form, name) for name in FIELDS}
    found = None
    try:
        found = await look_at_launch(hub, visitor, asked)
        if problem is None:
            stop_first = text(form, "stop") == "first"
            return _lead_on(hub, *await launch(hub, visitor, asked, stop_first=stop_first))
    except CarrelError as wrong:
        problem = wrong
    return _page(pages, request, asked, found, problem)


def _lead_on(hub: HubContext, found: Launch, server: Server) -> Response:
    if server.ready:
        return go(destination(hub, server, found.aim))
    return go(with_arguments(pending_url(hub, server), next=found.aim))


def _page(
    pages: Pages,
    request: Request,
    asked: Mapping[str, str],
    found: Launch | None,
    problem: CarrelError | None = None,
) -> Response:
    return pages.page(
        request,
        "launch.html",
        status=200 if problem is None else status_of(problem),
        asked=found.repository.as_option() if found else asked,
        server_name=found.server_name if found else "",
        possible=found is not None,
        busy=found is not None and found.is_busy,
        error_message=str(problem or ""),
        action=with_arguments(request.url.path, **asked),
    )
