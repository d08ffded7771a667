"""Signing out: the session and everything given out within it end on the server's side."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import log_out
from carrel.core.servers import stop_own_servers
from carrel.http.csrf import StaleForm, check_form, is_foreign
from carrel.http.endpoint import get, post
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.http.sessions import clear_session


@get("/hub/logout")
async def visit_logout(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Sign out, as the links of notebook servers expect; another site's link has to be confirmed."""
    if visitor is not None and is_foreign(request):
        return pages.page(request, "logout.html", signed_out=False)
    return await _leave(hub, visitor, pages, request)


@post("/hub/logout")
async def send_logout(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Sign out."""
    try:
        await check_form(request)
    except StaleForm:
        return pages.page(request, "logout.html", signed_out=visitor is None)
    return await _leave(hub, visitor, pages, request)


async def _leave(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    if visitor is not None:
        if hub.settings.shutdown_on_logout:
            await stop_own_servers(hub, visitor)
        await log_out(hub, visitor)
    facts_of(request.scope).caller = None
    response = pages.page(request, "logout.html", signed_out=True)
    clear_session(response, request)
    return response
