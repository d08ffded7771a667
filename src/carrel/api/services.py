"""/services."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from carrel.config.services import ServiceSetting
from carrel.core import services
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.services import ServiceWithRoles
from carrel.domain.errors import Invalid
from carrel.domain.hosts import Hosts
from carrel.domain.services import service_prefix
from carrel.http.endpoint import Answer, delete, get, post

_SERVICE = "/services/{service:str}"


class ServiceModel(Struct, kw_only=True):
    """A service, as far as the caller's scopes go."""

    kind: str = "service"
    name: str
    admin: bool
    roles: list[str] | UnsetType = UNSET
    url: str | UnsetType = UNSET
    prefix: str | UnsetType = UNSET
    command: list[str] | UnsetType = UNSET
    pid: int | UnsetType = UNSET
    info: dict[str, Any] | UnsetType = UNSET
    display: bool | UnsetType = UNSET


class ServiceIdentityModel(ServiceModel, kw_only=True):
    """The service that asks, with what its token may do."""

    session_id: str | None = None
    token_id: str | None = None
    scopes: list[str] = []


class NewService(Struct, forbid_unknown_fields=True):
    """The body of POST /services/NAME. What only a hub that runs the service would need is overlooked."""

    name: Any = UNSET
    """The one in the path counts."""
    admin: bool | UnsetType = UNSET
    url: str | UnsetType = UNSET
    api_token: str | UnsetType = UNSET
    info: dict[str, Any] | UnsetType = UNSET
    display: bool | UnsetType = UNSET
    oauth_client_id: str | UnsetType = UNSET
    oauth_redirect_uri: str | UnsetType = UNSET
    oauth_no_confirm: bool | UnsetType = UNSET
    oauth_client_allowed_scopes: list[str] | UnsetType = UNSET
    command: list[str] | UnsetType = UNSET
    cwd: str | UnsetType = UNSET
    environment: dict[str, Any] | UnsetType = UNSET
    user: str | UnsetType = UNSET


_OVERLOOKED = {"name", "cwd", "environment", "user"}


@get("/services", summary="List services", scopes=("list:services",))
async def list_services(hub: HubContext, caller: Caller) -> dict[str, ServiceModel]:
    """Return the services that the caller may list, by their names; there are no pages."""
    found = await services.list_services(hub, caller)
    hosts = hub.hosts
    return {record.service.name: service_model(caller, record, hosts) for record in found}


@get(_SERVICE, summary="Get a service", scopes=services.READ_ANY)
async def get_service(hub: HubContext, caller: Caller, service: str) -> ServiceModel:
    """Return a service as far as the caller's scopes go."""
    return service_model(caller, await services.get_service(hub, caller, service), hub.hosts)


@post(
    _SERVICE,
    summary="Add a service",
    status=201,
    scopes=("admin:services",),
    errors=(409,),
    example={"url": "http://10.0.0.7:9000", "display": True, "info": {"team": "physics"}},
)
async def create_service(
    hub: HubContext, caller: Caller, service: str, data: NewService | None = None
) -> ServiceModel:
    """Add a service that somebody else runs, and return it."""
    given = {} if data is None else msgspec.structs.asdict(data)
    given = {key: value for key, value in given.items() if value is not UNSET}
    caller.require("admin:services", service=service)
    if not given:
        raise Invalid("Invalid service data")
    wanted = {key: value for key, value in given.items() if key not in _OVERLOOKED}
    for key in wanted.keys() & {"command", "oauth_client_allowed_scopes"}:
        wanted[key] = tuple(wanted[key])
    made = await services.create_service(hub, caller, ServiceSetting(service, **wanted))
    return service_model(caller, made, hub.hosts)


@delete(
    _SERVICE,
    summary="Remove a service",
    scopes=("admin:services",),
    responses={200: Answer("It is gone; the answer is empty.")},
    errors=(405,),
)
async def delete_service(hub: HubContext, caller: Caller, service: str) -> Response:
    """Remove a service that was added here; one of the configuration is answered 405."""
    await services.delete_service(hub, caller, service)
    return Response(media_type="application/json")


def service_model(caller: Caller, record: ServiceWithRoles, hosts: Hosts) -> ServiceModel:
    """Return a service as JSON with the fields that the caller may see."""
    model = ServiceModel(name=record.service.name, admin=record.service.admin)
    _fill(model, caller, record, hosts)
    return model


def service_identity(caller: Caller, record: ServiceWithRoles, hosts: Hosts) -> ServiceIdentityModel:
    """Return the service that asks as JSON; its name is always there."""
    token = caller.token
    model = ServiceIdentityModel(
        name=record.service.name,
        admin=record.service.admin,
        token_id=None if token is None else f"a{token.id}",
        scopes=caller.scopes.ordered,
    )
    _fill(model, caller, record, hosts)
    return model


def _fill(model: ServiceModel, caller: Caller, record: ServiceWithRoles, hosts: Hosts) -> None:
    service = record.service
    if caller.may("read:roles:services", service=service.name):
        model.roles = list(record.roles)
    if caller.may("read:services", service=service.name):
        model.url, model.display, model.info = service.url, service.display, dict(service.info)
        model.prefix = service_prefix(hosts.base_url, service.name) if service.url else ""
        model.command, model.pid = list(service.command), service.pid
