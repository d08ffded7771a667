"""Signing out: the session and everything given out within it end on the server's side."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import log_out
from carrel.http.csrf import StaleForm, check_form, is_foreign
from carrel.http.identify import Hub, ThePages, Visitor
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.http.sessions import clear_session
from carrel.web.visits import AnyRequest


@get("/hub/logout")
async def visit_logout(
    hub: Hub, visitor: Visitor, pages: ThePages, request: Request[Any, Any, Any]
) -> Response[Any]:
    """Sign out, as the links of notebook servers expect; another site's link has to be confirmed."""
    if visitor is not None and is_foreign(request):
        return pages.page(request, "logout.html", signed_out=False)
    return await _leave(hub, visitor, pages, request)


@post("/hub/logout", status_code=200)
async def send_logout(
    hub: Hub, visitor: Visitor, pages: ThePages, request: Request[Any, Any, Any]
) -> Response[Any]:
    """Sign out."""
    try:
        await check_form(request)
    except StaleForm:
        return pages.page(request, "logout.html", signed_out=visitor is None)
    return await _leave(hub, visitor, pages, request)


async def _leave(hub: HubContext, visitor: Caller | None, pages: Pages, request: AnyRequest) -> Response[Any]:
    if visitor is not None:
        await log_out(hub, visitor)
    facts_of(request.scope).caller = None
    response = pages.page(request, "logout.html", signed_out=True)
    clear_session(response, request)
    return response
