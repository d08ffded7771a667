"""/proxy: the data plane's route table."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from carrel.api.paging import PAGES, PageModel, page_request, paged_model, pages_of
from carrel.core import routes
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid
from carrel.domain.paging import Page
from carrel.http.endpoint import Answer, get, json_reply, patch, post


class RouteModel(Struct):
    """A route as the data plane has it."""

    routespec: str
    target: str
    data: dict[str, Any]


class RoutePage(PageModel[dict[str, RouteModel]]):
    """A page of routes, by their paths."""


@get(
    "/proxy",
    summary="List routes",
    scopes=("proxy",),
    query=PAGES,
    responses={200: pages_of(dict[str, RouteModel], RoutePage)},
)
async def list_routes(hub: HubContext, caller: Caller, request: Request) -> Response:
    """Return the table as the data plane has it, a page at a time."""
    page = page_request(request)
    table = sorted((await routes.list_routes(hub, caller)).items())
    shown = dict(table[page.offset : page.offset + page.limit])
    found: Page[str] = Page((), page.offset, page.limit, len(table))
    return json_reply(paged_model(request, shown, found))


@post(
    "/proxy",
    summary="Repair routes",
    scopes=("proxy",),
    responses={200: Answer("The table is right; the answer is empty.")},
)
async def repair_routes(hub: HubContext, caller: Caller) -> Response:
    """Make the data plane's table equal to the rows, now."""
    await routes.repair(hub, caller)
    return Response(media_type="application/json")


class ProxyPlace(Struct):
    """The body of PATCH /proxy; what is absent stays as it is."""

    api_url: str | None = None
    """Where the proxy's API is, without `/api/routes`."""
    auth_token: str | None = None


@patch(
    "/proxy",
    summary="Move the proxy",
    scopes=("proxy",),
    responses={200: Answer("The proxy is steered at the new place and has all routes; the answer is empty.")},
    errors=(503,),
    example={"api_url": "http://127.0.0.1:8001"},
)
async def move_proxy(hub: HubContext, caller: Caller, data: ProxyPlace | None = None) -> Response:
    """Steer a proxy at another address or with another token from now on, until the hub ends."""
    caller.require("proxy")
    if data is None:
        raise Invalid("need JSON body")
    await routes.move_proxy(hub, caller, data.api_url, data.auth_token)
    return Response(media_type="application/json")
