"""The root, and the home page from which a user starts and stops their servers."""

from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import partial

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.core.admission import named_server_limit, require_named_servers
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.health import check_health
from carrel.core.servers import find_server, find_servers
from carrel.core.standing import device_notes
from carrel.core.usage import usage_of
from carrel.domain.errors import CarrelError, Invalid, Unavailable
from carrel.domain.names import check_display_name, check_server_name
from carrel.domain.servers import Server, never_started
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.next_urls import default_page
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.lib.urls import with_arguments
from carrel.web.forms import Problems, carry_out, text
from carrel.web.servers import server_line
from carrel.web.usage import usage_lines
from carrel.web.visits import go, spawn_url

_OTHERS = re.compile(r"[^a-z0-9]+")
_LONGEST_SLUG = 30
_log = logging.getLogger("carrel.web")


@get("/", "/hub", "/hub/")
async def root(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Lead to the login page or to the user's default page.

    Browsers show the log-in cookie only below /hub/, so everybody is sent there first.
    """
    below = f"{hub.settings.base_url}hub/"
    if not facts_of(request.scope).path.startswith(below):
        return go(below)
    if visitor is None and not hub.settings.default_url:
        return go(f"{hub.settings.base_url}hub/login")
    return go(default_page(hub, visitor))


@get("/hub/home")
async def home(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """Show the state of the user's servers and the buttons that change it."""
    return await _page(hub, caller, pages, request)


@post("/hub/home")
async def send_home(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Lead to the start of a named server that does not exist yet."""
    if visitor is None:
        return go(login_url(request))
    where, form, problem = await carry_out(request, partial(_address_of_new, hub, visitor))
    if where:
        return go(where)
    return await _page(hub, visitor, pages, request, form, problem)


async def _address_of_new(hub: HubContext, caller: Caller, form: FormData) -> str:
    """Return where the server that a form asks for is started; raise Invalid when it could not be added."""
    called = text(form, "server_name")
    require_named_servers(hub)
    name = _slug(called)
    try:
        check_display_name(called)
        check_server_name(name)
    except Invalid as error:
        raise Invalid(str(error), field="server_name") from None
    if await find_server(hub, caller.user.name, name) is not None:
        raise Invalid(f"You have a server {name} already.", field="server_name")
    address = spawn_url(hub, caller.user.name, name)
    return address if name == called else with_arguments(address, display_name=called)


def _slug(called: str) -> str:
    """Return a name for addresses, out of what somebody would like to call their server."""
    plain = unicodedata.normalize("NFKD", called).encode("ascii", "ignore").decode().lower()
    slug = _OTHERS.sub("-", plain).strip("-")
    if slug[:1].isdigit():
        slug = f"server-{slug}"
    return slug[:_LONGEST_SLUG].rstrip("-")


async def _page(
    hub: HubContext,
    caller: Caller,
    pages: Pages,
    request: Request,
    form: FormData | None = None,
    problem: CarrelError | None = None,
) -> Response:
    rows = await find_servers(hub, caller.user)
    notes = await device_notes(hub, rows)
    lines = [server_line(hub, caller, row, notes.get(row.id, "")) for row in rows]
    default = next((line for line in lines if not line.name), None)
    default = default or server_line(hub, caller, never_started(caller.user))
    allowed, limit = hub.settings.allow_named_servers, await _limit(hub, caller)
    named = [line for line in lines if line.name]
    has_room = limit <= 0 or len(named) < limit
    return pages.page(
        request,
        "home.html",
        status=200 if problem is None else status_of(problem),
        default_server=default,
        named_servers=named,
        url=default.url if default.state == "running" else default.spawn_url,
        invalid_server_names=[],
        url_path_join=_join,
        allow_named_servers=allowed,
        named_server_limit_per_user=limit,
        may_add=allowed and has_room and caller.may("start:servers", user=caller.user.name),
        server_name="" if form is None else text(form, "server_name"),
        problems=Problems.of(problem),
        usage=await _usage(hub, rows),
    )


async def _usage(hub: HubContext, rows: Sequence[Server]) -> dict[str, tuple[list[str], list[str]]]:
    """Return what the running servers use, by their names."""
    found = await asyncio.gather(*(usage_of(hub, row) for row in rows))
    return {row.name: usage_lines(usage) for row, usage in zip(rows, found, strict=True) if usage}


def _join(*parts: str) -> str:
    """Return parts of an address with one slash between them, as templates of JupyterHub's ask for it."""
    whole = "/".join(part.strip("/") for part in parts if part.strip("/"))
    ends = parts[-1].endswith("/") if parts else False
    return f"{'/' if parts and parts[0].startswith('/') else ''}{whole}{'/' if ends and whole else ''}"


async def _limit(hub: HubContext, caller: Caller) -> int:
    """Return how many named servers the user may have, 0 for any number."""
    if not hub.settings.allow_named_servers:
        return 0
    try:
        return await named_server_limit(hub, caller)
    except Unavailable as error:
        # The page is needed for other things, too; whoever adds a server is told.
        _log.warning("%s", error)
        return 0


@get("/hub/health")
async def health(hub: HubContext) -> Response:
    """Return 200 with an empty body while the database answers."""
    await check_health(hub)
    return Response(b"", media_type="text/html")
