"""Signing in with a form."""

from __future__ import annotations

import logging
import re

from starlette.requests import Request
from starlette.responses import Response

from carrel.authenticators.policy import NO_RULE, Refusal
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import LoggedIn, log_in, log_out
from carrel.http.csrf import StaleForm, check_form
from carrel.http.endpoint import get, post
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.http.sessions import set_session
from carrel.lib.urls import with_arguments
from carrel.web.overrides import deployers_markup
from carrel.web.visits import default_page, go, wanted_next

_log = logging.getLogger("carrel.web")
_FIELDS = ("username", "password", "otp")
_PASSWORD_FIELD = re.compile(rb"""\bname\s*=\s*["']?password\b""")


@get("/hub/login")
async def show_login(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Show the form, or send on whoever is signed in already."""
    # Some applications ask that people sign in anew.
    if visitor is not None and "again" not in request.query_params:
        return go(wanted_next(hub, request) or default_page(hub, visitor))
    return _form(hub, pages, request)


@post("/hub/login")
async def send_login(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Check the form: send on who is admitted, show it again with the reason to everybody else."""
    try:
        form = await check_form(request)
    except StaleForm as stale:
        return _form(hub, pages, request, problem=str(stale), status=403)
    sent = {name: form.get(name) for name in _FIELDS}
    data = {name: value for name, value in sent.items() if isinstance(value, str)}
    # Spaces around a name come from autofill; those of a password may be meant.
    data["username"] = data.get("username", "").strip()
    aim = wanted_next(hub, request, form.get("next"))
    outcome = await log_in(hub, data)
    client = facts_of(request.scope).client
    if isinstance(outcome, Refusal):
        _log.warning("Log-in from %s refused: %s", client, outcome.reason_for_log)
        problem, name = outcome.reason_for_page, data["username"]
        return _form(hub, pages, request, problem=problem, status=outcome.status, username=name, aim=aim)
    if visitor is not None:
        await log_out(hub, visitor)
    _log.info("%s logged in from %s", outcome.user.name, client)
    return _welcome(hub, request, outcome, aim)


def _welcome(hub: HubContext, request: Request, login: LoggedIn, aim: str) -> Response:
    facts_of(request.scope).looked_up = False
    response = go(aim or default_page(hub, None))
    set_session(response, request, login)
    return response


def _form(
    hub: HubContext,
    pages: Pages,
    request: Request,
    *,
    problem: str = "",
    status: int = 200,
    username: str = "",
    aim: str = "",
) -> Response:
    authenticator = hub.authenticator
    hub_url = f"{hub.settings.base_url}hub/"
    own_form = authenticator.get_custom_html(hub_url)
    aim = aim or wanted_next(hub, request)
    begin = authenticator.login_url(hub_url)
    page = pages.page(
        request,
        "login.html",
        status=status,
        login_error=problem,
        username=username,
        next=aim,
        authenticator_login_url=with_arguments(begin, next=aim) if aim else begin,
        login_form=authenticator.login_form,
        custom_html=deployers_markup(facts_of(request.scope), own_form),
        request_otp=authenticator.request_otp,
        otp_prompt=authenticator.otp_prompt,
        no_rule="" if authenticator.any_allow_config or not authenticator.login_form else NO_RULE,
    )
    if authenticator.login_form and not own_form and not _PASSWORD_FIELD.search(bytes(page.body)):
        _log.error("The log-in page has no field for a password: login.html in template_paths left it out")
    return page
