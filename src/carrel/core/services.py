"""Services: listing them, and adding and removing those that the configuration does not name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from carrel.config.services import ServiceSetting, faults
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.service_records import add_token, put_service, remove_service
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unchangeable
from carrel.domain.roles import ADMIN
from carrel.domain.scope_catalog import SELF, SELF_SCOPES, Catalog
from carrel.domain.scopes import expand, known, parse
from carrel.domain.services import Service, service_access_scopes
from carrel.storage.base import Transaction

READ_ANY = ("read:services", "read:services:name", "read:roles:services")
_NOTE = "from the API"


@dataclass(frozen=True, slots=True)
class ServiceWithRoles:
    """A service and the names of its roles."""

    service: Service
    roles: tuple[str, ...] = ()


async def list_services(ctx: HubContext, caller: Caller) -> list[ServiceWithRoles]:
    """Return the services that the caller may list, by their names; a fixed number of queries."""
    caller.require_any(["list:services"])
    async with ctx.store.read() as tx:
        services = [
            each for each in await tx.services.all() if caller.may("list:services", service=each.name)
        ]
        return await _with_roles(tx, services)


async def list_accessible(ctx: HubContext, caller: Caller) -> list[Service]:
    """Return the services that have pages, want to be shown, and that the caller may visit."""
    async with ctx.store.read() as tx:
        services = [each for each in await tx.services.all() if each.url and each.display]
    return [each for each in services if any(map(caller.covers, service_access_scopes(each.name)))]


async def get_service(ctx: HubContext, caller: Caller, name: str) -> ServiceWithRoles:
    """Return a service; raise NotFound when there is none or the caller may not know."""
    caller.require(*READ_ANY, service=name)
    async with ctx.store.read() as tx:
        service = await tx.services.get(name)
        if service is None:
            raise NotFound(f"No such service: {name[:80]}")
        return (await _with_roles(tx, [service]))[0]


async def get_self(ctx: HubContext, caller: Caller) -> ServiceWithRoles:
    """Return the service that asks, as it was looked up; raise Forbidden for a user."""
    if caller.service is None:
        raise Forbidden("This is for services, and a user asks.")
    return ServiceWithRoles(caller.service, _roles(caller.service, caller.roles))


async def create_service(ctx: HubContext, caller: Caller, setting: ServiceSetting) -> ServiceWithRoles:
    """Add a service that somebody else runs, and return it.

    Raises Conflict when there is one of this name, and Invalid for what is wrong with it, for one that the
    hub should run, and for one that could do, or let its visitors' tokens do, what the caller may not.
    """
    caller.require("admin:services", service=setting.name)
    async with ctx.store.write(durable=True) as tx:
        if await tx.services.get(setting.name) is not None:
            raise Conflict(f"Service {setting.name} already exists")
        if setting.command:
            raise Invalid(f"Can not create managed service {setting.name} at runtime")
        wrong = list(faults(setting, ctx.catalog))
        if wrong:
            raise Invalid(f"Failed to create service {setting.name[:80]}: {' '.join(wrong)}")
        await _refuse_gain(ctx, tx, caller, setting)
        try:
            if setting.client_id and await tx.oauth.get_client(setting.client_id) is not None:
                raise Conflict(f"The oauth_client_id {setting.client_id} is another client's")
            service = await put_service(tx, setting, ctx.hosts, admin=setting.admin, from_config=False)
            if setting.api_token:
                await add_token(tx, service, setting.api_token, ctx.clock.now(), _NOTE)
        except Conflict as error:
            raise Invalid(f"Failed to create service {setting.name}: {error}") from None
        return (await _with_roles(tx, [service]))[0]


async def delete_service(ctx: HubContext, caller: Caller, name: str) -> None:
    """Remove a service with its tokens, and those of its visitors.

    Raises NotFound when there is none, Unchangeable for one of the configuration.
    """
    caller.require("admin:services", service=name)
    async with ctx.store.write(durable=True) as tx:
        service = await tx.services.get(name)
        if service is None:
            raise NotFound(f"Service {name[:80]} does not exist")
        if service.from_config:
            raise Unchangeable(f"Service {name} is not modifiable at runtime")
        await remove_service(tx, service)


async def _with_roles(tx: Transaction, services: list[Service]) -> list[ServiceWithRoles]:
    held = await tx.roles.of_bearers("services", [service.name for service in services])
    return [
        ServiceWithRoles(each, _roles(each, tuple(role.name for role in held.get(each.name, ()))))
        for each in services
    ]


def _roles(service: Service, held: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a service's roles: the admin flag is one, too."""
    return tuple(dict.fromkeys(((ADMIN.name,) if service.admin else ()) + held))


async def _refuse_gain(ctx: HubContext, tx: Transaction, caller: Caller, setting: ServiceSetting) -> None:
    """Raise Invalid when a service gets anything that the caller lacks, by itself or by its visitors.

    Roles may wait for its name: who makes it true must hold what they give.
    """
    if caller.is_admin:
        return
    roles = (await tx.roles.of_bearers("services", [setting.name])).get(setting.name, ())
    own = [scope for role in roles for scope in known(role.scopes, ctx.catalog)]
    if setting.admin:
        own += ADMIN.scopes
    if setting.oauth_roles and not setting.oauth_client_allowed_scopes:
        raise Invalid("oauth_roles is for the configuration: name oauth_client_allowed_scopes instead")
    wanted = expand(own, service=setting.name, catalog=ctx.catalog)
    visited = _for_all(setting.oauth_client_allowed_scopes, ctx.catalog)
    wanted |= expand(visited, service=setting.name, catalog=ctx.catalog)
    extra = sorted(scope for scope in wanted if not caller.covers(scope))
    if extra:
        whose = f"{caller.kind.title()} {caller.name}"
        raise Invalid(f"Not assigning requested scopes {','.join(extra)} not held by {whose}")


def _for_all(scopes: tuple[str, ...], catalog: Catalog) -> Iterator[str]:
    """Yield what a client's scopes come to when any user may be its visitor: `!user` is everybody's own."""
    for text in scopes:
        scope = parse(text, catalog)
        if scope.name == SELF:
            yield from SELF_SCOPES
        elif scope.filter in ("user", "server") and scope.value is None:
            yield scope.name
        else:
            yield text
