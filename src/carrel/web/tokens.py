"""The token page: a user's own API tokens, the applications they signed in to, and a form for one more."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.core.applications import list_holdings
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.tokens import NewToken, issue_token, revoke_token
from carrel.domain.errors import CarrelError, Invalid
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.pages import Pages
from carrel.web.forms import Problems, read_form, text, words
from carrel.web.times import duration
from carrel.web.visits import go

_LIFETIMES = (3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
_FIELDS = ("note", "expires_in", "scopes")
_LONGEST_NOTE = 1000


@get("/hub/token", scopes=("read:tokens",))
async def show_tokens(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """List the visitor's tokens and applications, with the form for a new token."""
    return await _page(hub, caller, pages, request)


@post("/hub/token")
async def send_tokens(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Make a token and show it, this once; or revoke one."""
    if visitor is None:
        return go(login_url(request))
    form, problem = await read_form(request)
    made = None
    try:
        if problem is None and "revoke" in form:
            await revoke_token(hub, visitor, visitor.user.name, text(form, "revoke"))
            return go(f"{hub.settings.base_url}hub/token?done=revoked")
        if problem is None:
            made = await _make(hub, visitor, form)
    except CarrelError as error:
        problem = error
    return await _page(hub, visitor, pages, request, made=made, form=form, problem=problem)


async def _make(hub: HubContext, caller: Caller, form: FormData) -> NewToken:
    lifetime, note = text(form, "expires_in"), text(form, "note")
    if lifetime and not (lifetime.isascii() and lifetime.isdigit() and len(lifetime) < 12):
        raise Invalid("Choose one of the times.", field="expires_in")
    if len(note) > _LONGEST_NOTE:
        raise Invalid(f"A note has at most {_LONGEST_NOTE} characters.", field="note")
    return await issue_token(
        hub,
        caller,
        caller.user.name,
        note=note or "Requested on the token page",
        scopes=words(form, "scopes") or None,
        expires_in=int(lifetime) if lifetime else None,
    )


async def _page(
    hub: HubContext,
    caller: Caller,
    pages: Pages,
    request: Request,
    *,
    made: NewToken | None = None,
    form: FormData | None = None,
    problem: CarrelError | None = None,
) -> Response:
    holdings = await list_holdings(hub, caller, caller.user.name)
    # What was sent is shown again only where it has to be sent again.
    kept = form if form is not None and problem is not None else FormData()
    return pages.page(
        request,
        "token.html",
        status=200 if problem is None else status_of(problem),
        api_tokens=holdings.own,
        oauth_clients=holdings.applications,
        made=made,
        may_make=caller.may("tokens", user=caller.user.name),
        problems=Problems.of(problem),
        filled={name: text(kept, name) for name in _FIELDS},
        lifetimes=_lifetimes(hub.settings.token_expires_in_max_seconds),
        known_scopes=caller.scopes.ordered,
        done=request.query_params.get("done", "") if problem is None and made is None else "",
    )


def _lifetimes(longest: int) -> list[tuple[str, str]]:
    """Return the lifetimes to choose from, as seconds and in words; the last one is the longest."""
    offered = [each for each in _LIFETIMES if not longest or each < longest]
    last = ("", f"{duration(longest)} (the longest)" if longest else "Never")
    return [*((str(each), duration(each)) for each in offered), last]
