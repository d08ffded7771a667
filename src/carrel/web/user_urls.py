"""Requests for a user's server that reached the hub, because the proxy has no route for it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import find_server
from carrel.domain.events import RouteMissing
from carrel.domain.names import full_name, server_prefix
from carrel.domain.servers import Server, never_started
from carrel.http.endpoint import json_reply, route
from carrel.http.errors import NoSuchPage, login_url
from carrel.http.pages import Pages
from carrel.http.request import RequestFacts, facts_of, header
from carrel.lib.urls import first_argument, with_arguments
from carrel.web.pending import not_running, stopped_status
from carrel.web.visits import go, pending_url

_HOPS = 4
_FIRST_WAIT = 0.2
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@route(_METHODS, "/user/{name:str}", "/user/{name:str}/{rest:path}")
async def public_url(hub: HubContext, request: Request, name: str, rest: str = "") -> Response:
    """Answer programs at once; send people below /hub, where their browser shows the log-in cookie."""
    if _is_program(request):
        await _mend_route(hub, name, rest)
        return _gone(hub, name)
    facts, hosts = facts_of(request.scope), hub.hosts
    below = facts.url.removeprefix(hosts.base_url)
    target = f"{hosts.base_url}hub/{below}"
    if not hosts.subdomains:
        return go(target)
    if hosts.is_of_others(header(request, "host")) and not _hops(facts):
        # Whoever comes from the hub's host is on the way to the right one; here a route is missing.
        target = with_arguments(target, redirects="1")
    return go(f"{hosts.origin}{target}")


@route(_METHODS, "/hub/user/{name:str}", "/hub/user/{name:str}/{rest:path}")
async def hub_url(
    hub: HubContext, visitor: Caller | None, pages: Pages, request: Request, name: str, rest: str = ""
) -> Response:
    """Lead to the server, wait for its route, or show that it does not run."""
    if _is_program(request):
        await _mend_route(hub, name, rest)
        return _gone(hub, name)
    if visitor is None:
        return go(login_url(request))
    own = visitor.is_user(name)
    server = await _named(hub, name, rest)
    if server is None or not (own or visitor.may("access:servers", server=full_name(name, server.name))):
        # Whoever may not open a named server is not told that there is one.
        server = await find_server(hub, name)
        if not own and (server is None or not visitor.may("access:servers", server=full_name(name, ""))):
            raise NoSuchPage
    if server is None:
        server = never_started(visitor.user)
    if server.ready:
        return await _follow(hub, pages, request, server)
    aim = _server_address(hub, facts_of(request.scope))
    if server.pending == "spawn":
        return go(with_arguments(pending_url(hub, server), next=aim))
    may_start = visitor.may("start:servers", server=full_name(name, server.name))
    return not_running(hub, pages, request, server, aim=aim, may_start=may_start)


async def _named(hub: HubContext, name: str, rest: str) -> Server | None:
    """Return the named server that an address is of: the first part after the user may be one's name."""
    first = rest.partition("/")[0]
    return await find_server(hub, name, first) if first else None


async def _follow(hub: HubContext, pages: Pages, request: Request, server: Server) -> Response:
    """Send the visitor to a running server; give its route time, and stop after a few hops."""
    facts = facts_of(request.scope)
    hops = _hops(facts)
    host = hub.hosts.of_user(server.user_name)
    if host and not hops:
        return go(f"{host}{_server_address(hub, facts)}")
    hub.bus.publish(RouteMissing(server.user_name, server.name))
    if hops >= _HOPS:
        return pages.page(request, "redirect_loop.html", status=500, server=server)
    await hub.clock.sleep(_FIRST_WAIT * 2**hops)
    return go(with_arguments(f"{host}{_server_address(hub, facts)}", redirects=str(hops + 1)))


def _hops(facts: RequestFacts) -> int:
    text = first_argument(facts.query, "redirects")
    return min(int(text), _HOPS) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _server_address(hub: HubContext, facts: RequestFacts) -> str:
    """Return the public address of a page of a server, from the hub's own address for it."""
    base_url = hub.settings.base_url
    return base_url + facts.url.removeprefix(f"{base_url}hub/").lstrip("/")


def _is_program(request: Request) -> bool:
    """Tell whether an answer in JSON is of more use than a page."""
    facts = facts_of(request.scope)
    accept = header(request, "accept")
    asks_json = "application/json" in accept and "text/html" not in accept
    return facts.method not in {"GET", "HEAD"} or asks_json or "/api/" in facts.path


async def _mend_route(hub: HubContext, name: str, rest: str) -> None:
    server = await _named(hub, name, rest) or await find_server(hub, name)
    if server is not None and server.ready:
        hub.bus.publish(RouteMissing(server.user_name, server.name))


def _gone(hub: HubContext, name: str) -> Response:
    """Return JupyterHub's answer for programs, the same whether or not there is such a user.

    The data plane gives the same one, see `carrel.dataplane.stopped`.
    """
    place = server_prefix(hub.settings.base_url, name)
    home = f"{hub.settings.base_url}hub/home"
    message = f"The server at {place} is no longer running. Restart the server at {home}"
    return json_reply({"message": message}, stopped_status(hub), headers={"Retry-After": "5"})
