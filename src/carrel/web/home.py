"""The root, and the home page from which a user starts and stops their server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.health import check_health
from carrel.core.servers import ask_to_stop, find_server, server_path, wait_until_settled
from carrel.http.csrf import check_form
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.web.visits import default_page, go, pending_url

_STOP_SECONDS = 5.0


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
    """Show the state of the user's server and the buttons that change it."""
    server = await find_server(hub, caller.user.name)
    return pages.page(
        request,
        "home.html",
        server=server,
        state=server.pending or server.actual.value if server else "stopped",
        failure=server.failure if server else None,
        url=server_path(hub, server) if server else "",
        pending_url=pending_url(hub, server) if server else "",
    )


@post("/hub/stop/{name:str}", "/hub/stop/{name:str}/{server:str}")
async def stop(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Stop a server and go home, or to the page that waits for the end of a slow one."""
    if visitor is None:
        return go(login_url(request))
    await check_form(request)
    names = request.path_params
    server = await ask_to_stop(hub, visitor, names["name"], names.get("server", ""))
    if server is not None:
        server = await wait_until_settled(hub, server, min(_STOP_SECONDS, hub.settings.slow_stop_timeout))
    if server is not None and server.pending is not None:
        return go(pending_url(hub, server))
    return go(f"{hub.settings.base_url}hub/home")


@get("/hub/health")
async def health(hub: HubContext) -> Response:
    """Return 200 with an empty body while the database answers."""
    await check_health(hub)
    return Response(b"", media_type="text/html")
