"""Signing in with a form."""

from __future__ import annotations

import logging
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from carrel.authenticators.policy import Refusal
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import LoggedIn, log_in, log_out
from carrel.http.csrf import StaleForm, check_form
from carrel.http.endpoint import get, post
from carrel.http.login_form import begins_elsewhere, form_data, form_values
from carrel.http.next_urls import default_page, wanted_next
from carrel.http.pages import Pages
from carrel.http.plugins import PluginHandler, handler_of
from carrel.http.request import facts_of
from carrel.http.sessions import set_session
from carrel.web.visits import go

_log = logging.getLogger("carrel.web")
_PASSWORD_FIELD = re.compile(rb"""\bname\s*=\s*["']?password\b""")


@get("/hub/login")
async def show_login(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Show the form, or send on whoever is signed in already or signs in without it."""
    # Some applications ask that people sign in anew.
    if visitor is not None and "again" not in request.query_params:
        return go(wanted_next(hub, request) or default_page(hub, visitor))
    if elsewhere := begins_elsewhere(hub, request):
        return go(elsewhere)
    return _form(hub, pages, request)


@post("/hub/login")
async def send_login(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Check the form: send on who is admitted, show it again with the reason to everybody else."""
    handler = await handler_of(request)
    try:
        form = await check_form(request)
    except StaleForm as stale:
        return _form(hub, pages, request, problem=str(stale), status=403)
    data = form_data(form)
    aim = wanted_next(hub, request, form.get("next"))
    outcome = await log_in(hub, data, handler)
    client = facts_of(request.scope).client
    if isinstance(outcome, Refusal):
        _log.warning("Log-in from %s refused: %s", client, outcome.reason_for_log)
        problem, name = outcome.reason_for_page, data["username"]
        response = _form(hub, pages, request, problem=problem, status=outcome.status, username=name, aim=aim)
        return _with(handler, response)
    if visitor is not None:
        await log_out(hub, visitor)
    _log.info("%s logged in from %s", outcome.user.name, client)
    return _with(handler, _welcome(hub, request, outcome, aim))


def _welcome(hub: HubContext, request: Request, login: LoggedIn, aim: str) -> Response:
    facts_of(request.scope).looked_up = False
    response = go(aim or default_page(hub, None))
    set_session(response, request, login)
    return response


def _with(handler: PluginHandler | None, response: Response) -> Response:
    if handler is not None:
        handler.give_back(response)
    return response


def _form(hub: HubContext, pages: Pages, request: Request, *, status: int = 200, **values: Any) -> Response:
    shown = form_values(hub, request, **values)
    page = pages.page(request, "login.html", status=status, **shown)
    usual = shown["login_form"] and not shown["custom_html"]
    if usual and not _PASSWORD_FIELD.search(bytes(page.body)):
        _log.error("The log-in page has no field for a password: login.html in template_paths left it out")
    return page
