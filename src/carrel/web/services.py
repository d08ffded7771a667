"""The administration of services: which there are, and how they do."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.services import ServiceWithRoles, list_services
from carrel.http.endpoint import get
from carrel.http.pages import Pages
from carrel.web.menu import sections


@get("/hub/admin/services", scopes=("list:services",))
async def show_services(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """List the services; they are added in the configuration and over the API."""
    caller.require("admin-ui")
    found = await list_services(hub, caller)
    return pages.page(
        request,
        "admin_services.html",
        sections=sections(hub, caller, "Services"),
        lines=[_line(hub, caller, record) for record in found],
    )


def _line(hub: HubContext, caller: Caller, record: ServiceWithRoles) -> dict[str, object]:
    """Return a service as `caller` may see it."""
    service = record.service
    sees = caller.may("read:services", service=service.name)
    return {
        "name": service.name,
        "href": hub.hosts.service_url(service.name) if service.url and sees else "",
        "managed": bool(service.command) if sees else None,
        "pid": service.pid if sees else 0,
        "roles": record.roles if caller.may("read:roles:services", service=service.name) else (),
    }
