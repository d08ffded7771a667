"""The route table as the rows want it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.names import server_prefix, servers_prefix
from carrel.domain.routes import Route
from carrel.domain.servers import Server

_MARKS = frozenset({"jupyterhub", "servers"})


def route_of(server: Server, base_url: str) -> Route:
    """Return the route of a server that has a URL."""
    spec = server_prefix(base_url, server.user_name, server.name)
    return Route(spec, server.url, {"user": server.user_name, "server_name": server.name})


async def wanted_routes(ctx: HubContext) -> dict[str, Route]:
    """Return every route that should exist, by its path; the hub's own catches what no server's does.

    It says where the servers are: Carrel's data plane answers programs that ask for one without a route.
    """
    async with ctx.store.read() as tx:
        servers = await tx.servers.routed()
    base_url = ctx.settings.base_url
    hub = Route(base_url, ctx.proxy.hub_url, {"hub": True, "servers": servers_prefix(base_url)})
    # One that starts has its address already and must not be visited yet, one that stops no longer.
    routes = (route_of(server, base_url) for server in servers if server.ready)
    return {hub.spec: hub} | {route.spec: route for route in routes}


async def list_routes(ctx: HubContext, caller: Caller) -> dict[str, dict[str, Any]]:
    """Return the proxy's table as the proxy has it, without the marks by which we know our own routes."""
    caller.require("proxy")
    table = await ctx.proxy.get_all_routes()
    return {spec: route | {"data": _unmarked(route["data"])} for spec, route in table.items()}


def _unmarked(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in _MARKS}


async def repair(ctx: HubContext, caller: Caller) -> None:
    """Make the proxy's table equal to the rows now."""
    caller.require("proxy")
    await ctx.proxy.put_routes(await wanted_routes(ctx))
