"""Signing in with a form."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from carrel.authenticators.policy import Refusal
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import LoggedIn, log_in, log_out
from carrel.domain.errors import Forbidden
from carrel.http.csrf import StaleForm, check_form
from carrel.http.endpoint import get, post
from carrel.http.login_form import begins_elsewhere, form_data, form_values, is_in_request
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
    if is_in_request(hub):
        attempt = Attempt(hub, visitor, request, wanted_next(hub, request), await handler_of(request))
        outcome = await attempt.sign_in({})
        if isinstance(outcome, Refusal):
            raise Forbidden(outcome.reason_for_page)
        return attempt.answer(outcome)
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
    attempt = Attempt(hub, visitor, request, aim, handler)
    outcome = await attempt.sign_in(data)
    if isinstance(outcome, Refusal):
        problem, name = outcome.reason_for_page, data["username"]
        outcome = _form(hub, pages, request, problem=problem, status=outcome.status, username=name, aim=aim)
    return attempt.answer(outcome)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who signs in with the hub's own page, and the request as their authenticator gets it."""

    hub: HubContext
    visitor: Caller | None
    request: Request
    aim: str
    handler: PluginHandler | None

    async def sign_in(self, data: Mapping[str, str]) -> Response | Refusal:
        """Return what leads on whoever is admitted, or why they are not."""
        outcome = await log_in(self.hub, data, self.handler)
        client = facts_of(self.request.scope).client
        if isinstance(outcome, Refusal):
            _log.warning("Log-in from %s refused: %s", client, outcome.reason_for_log)
            return outcome
        if self.visitor is not None:
            await log_out(self.hub, self.visitor)
        _log.info("%s logged in from %s", outcome.user.name, client)
        return _welcome(self.hub, self.request, outcome, self.aim)

    def answer(self, response: Response) -> Response:
        """Return a response with what the authenticator has set on the request's handler."""
        if self.handler is not None:
            self.handler.give_back(response)
        return response


def _welcome(hub: HubContext, request: Request, login: LoggedIn, aim: str) -> Response:
    facts_of(request.scope).looked_up = False
    response = go(aim or default_page(hub, None))
    set_session(response, request, login)
    return response


def _form(hub: HubContext, pages: Pages, request: Request, *, status: int = 200, **values: Any) -> Response:
    shown = form_values(hub, request, **values)
    page = pages.page(request, "login.html", status=status, **shown)
    usual = shown["login_form"] and not shown["custom_html"]
    if usual and not _PASSWORD_FIELD.search(bytes(page.body)):
        _log.error("The log-in page has no field for a password: login.html in template_paths left it out")
    return page
