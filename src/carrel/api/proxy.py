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
from carrel.domain.paging import Page
from carrel.http.endpoint import Answer, get, json_reply, post


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
