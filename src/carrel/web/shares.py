"""The page behind a share code: what it invites to, and the button that accepts it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.share_codes import accept_code, look_at_code
from carrel.domain.errors import Invalid
from carrel.domain.shares import filtered
from carrel.http.csrf import check_form
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url
from carrel.http.next_urls import wanted_next
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.lib.urls import first_argument
from carrel.web.visits import go


@get("/hub/accept-share")
async def show_invitation(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """Show who invites the visitor to which server, and what they will be able to do there."""
    secret = first_argument(facts_of(request.scope).query, "code")
    if not secret:
        raise Invalid("This link has no code: copy the whole address that you were sent.")
    code = await look_at_code(hub, caller, secret)
    server = code.server
    url = hub.hosts.server_url(server.owner, server.name)
    scopes = zip(code.scopes, filtered(code.scopes, server.full_name), strict=True)
    return pages.page(
        request,
        "accept-share.html",
        code=secret,
        owner={"name": server.owner},
        spawner={"name": server.name},
        spawner_ready=server.ready,
        spawner_url=url,
        scope_descriptions=[
            {"scope": scope, "description": hub.catalog.scopes[name].text}
            for name, scope in scopes
            if name in hub.catalog.scopes
        ],
        next_url=wanted_next(hub, request) or url,
        # With the code, so that a page that was open for too long is shown again.
        action=facts_of(request.scope).url,
    )


@post("/hub/accept-share")
async def accept_invitation(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Accept an invitation and go to the server, which says so when it does not run."""
    if visitor is None:
        return go(login_url(request))
    form = await check_form(request)
    secret = form.get("code") or first_argument(facts_of(request.scope).query, "code")
    share = await accept_code(hub, visitor, str(secret))
    url = hub.hosts.server_url(share.server.owner, share.server.name)
    return go(wanted_next(hub, request) or url)
