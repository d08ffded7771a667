"""The route table as the rows want it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid, Unavailable
from carrel.domain.events import RoutesDoubted
from carrel.domain.hosts import Hosts
from carrel.domain.routes import Route
from carrel.domain.servers import Server
from carrel.domain.services import Service, service_target
from carrel.proxy.base import OutOfStep, ProxyError, Unmovable, differs
from carrel.proxy.extra_routes import routes_of

_MARKS = frozenset({"jupyterhub", "servers", "stopped_status"})


def route_of(server: Server, hosts: Hosts) -> Route:
    """Return the route of a server that has a URL."""
    spec = hosts.server_spec(server.user_name, server.name)
    return Route(spec, server.url, {"user": server.user_name, "server_name": server.name})


def route_of_service(service: Service, hosts: Hosts) -> Route:
    """Return the route of a service that has a URL."""
    return Route(hosts.service_spec(service.name), service_target(service.url), {"service": service.name})


async def wanted_routes(ctx: HubContext) -> dict[str, Route]:
    """Return every route that should exist, by its path; the hub's own catches what no server's does.

    It says where the servers are: Carrel's data plane answers programs that ask for one without a route. And
    where else a hub answers (`alternatives`), for when the first does not; every hub says the same.
    """
    async with ctx.store.read() as tx:
        servers = await tx.servers.routed()
        services = [service for service in await tx.services.all() if service.url]
        hubs = [] if ctx.store.single_hub else await tx.hubs.alive(ctx.clock.now())
    hosts = ctx.hosts
    first, *others = dict.fromkeys([hub.url for hub in hubs] or [ctx.proxy.hub_url])
    spec = hosts.hub_spec(ctx.settings.hub_routespec)
    hub = Route(spec, first, {"hub": True, "servers": hosts.servers})
    if ctx.settings.use_legacy_stopped_server_status_code:
        hub = Route(spec, first, {**hub.data, "stopped_status": 503})
    if others:
        hub = Route(hub.spec, hub.target, {**hub.data, "alternatives": others})
    # One that starts has its address already and must not be visited yet, one that stops no longer.
    routes = (route_of(server, hosts) for server in servers if server.ready)
    of_services = (route_of_service(service, hosts) for service in services)
    extra = routes_of(ctx.proxy.extra_routes)
    return extra | {hub.spec: hub} | {route.spec: route for route in (*of_services, *routes)}


async def started_elsewhere(ctx: HubContext) -> dict[str, int]:
    """Return the servers that other hubs are starting: the paths of their routes, and their ids."""
    async with ctx.store.read() as tx:
        servers = await tx.servers.starting(ctx.peers.owner)
    hosts = ctx.hosts
    return {route_of(server, hosts).spec: server.id for server in servers}


async def list_routes(ctx: HubContext, caller: Caller) -> dict[str, dict[str, Any]]:
    """Return the proxy's table as the proxy has it, without the marks by which we know our own routes."""
    caller.require("proxy")
    table = await ctx.proxy.get_all_routes()
    return {spec: route | {"data": _unmarked(route["data"])} for spec, route in table.items()}


async def move_proxy(
    ctx: HubContext, caller: Caller, api_url: str | None = None, auth_token: str | None = None
) -> None:
    """Have this hub steer a data plane at another address, or with another token, and give it all routes.

    It holds until the hub ends. Raises Invalid for what is no address and for a data plane that cannot be
    moved, Unavailable when nothing answers there; then all stays as it was.
    """
    caller.require("proxy")
    if api_url is not None and not _is_address(api_url):
        raise Invalid("api_url must be the address of a proxy's API, such as http://127.0.0.1:8001")
    if api_url is not None or auth_token is not None:
        try:
            await ctx.proxy.move(api_url, auth_token)
        except Unmovable as error:
            raise Invalid(str(error)) from error
        except ProxyError as error:
            raise Unavailable(f"Nothing was changed: {error}") from error
    await repair(ctx, caller)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and not (parts.username or parts.password or parts.query or parts.fragment)


def _unmarked(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in _MARKS}


async def repair(ctx: HubContext, caller: Caller) -> None:
    """Set what is missing in the proxy's table now, and have it compared with the rows in a moment.

    Nothing is removed here: the route of a server that is about to run is set before its row says so.
    """
    caller.require("proxy")
    present = await ctx.proxy.get_all_routes()
    with suppress(OutOfStep):  # It waits for the whole table, which is what the comparison sends.
        for spec, route in (await wanted_routes(ctx)).items():
            if differs(route, present.get(spec)):
                await ctx.proxy.add_route(spec, route.target, route.data)
    ctx.bus.publish(RoutesDoubted())
