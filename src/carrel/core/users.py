"""Users: listing, creating, changing and removing them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from carrel.core import services
from carrel.core.access import caller_of_token
from carrel.core.auth_state import keep_auth_state, load_auth_state
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.groups import set_groups
from carrel.core.roles import set_roles
from carrel.core.servers import announce_change, change, wait_until_settled
from carrel.core.services import ServiceWithRoles
from carrel.core.standing import Standing, standings
from carrel.domain.errors import Conflict, Forbidden, Invalid, LacksScope, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.names import check_user_name
from carrel.domain.paging import Page, PageRequest
from carrel.domain.roles import ADMIN
from carrel.domain.scope_catalog import IDENTIFY_SCOPES
from carrel.domain.scopes import Scopes
from carrel.domain.servers import Server
from carrel.domain.transitions import ask_stop
from carrel.domain.users import User
from carrel.lib.records import maker
from carrel.storage.base import Transaction
from carrel.storage.users import UserFilter

READ_ANY = (
    "read:users",
    "read:users:name",
    "read:servers",
    "read:users:groups",
    "read:users:activity",
    "read:roles:users",
)


@dataclass(frozen=True, slots=True)
class UserWithServers:
    """A user with all of their servers' rows, their groups, and roles beside `user` and `admin`."""

    user: User
    servers: tuple[Server, ...] = ()
    standings: Mapping[int, Standing] = field(default_factory=dict)
    """Of the servers that wait for their start, by id."""
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    auth_state: Mapping[str, Any] | None = field(default=None, repr=False)
    """Only where a single user is asked for, by somebody who may know it."""


_new_record = maker(UserWithServers)


async def get_user(ctx: HubContext, caller: Caller, name: str) -> UserWithServers:
    """Return a user; raise NotFound when there is none or the caller may not know."""
    caller.require(*READ_ANY, user=name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound
        record = (await _complete(ctx, tx, [user]))[0]
    return await _with_auth_state(ctx, caller, record)


async def _with_auth_state(ctx: HubContext, caller: Caller, record: UserWithServers) -> UserWithServers:
    """Return the record with what the authenticator keeps, if the caller may know it."""
    if not caller.may("admin:auth_state", user=record.user.name):
        return record
    return replace(record, auth_state=await load_auth_state(ctx, record.user))


async def get_self(ctx: HubContext, caller: Caller) -> UserWithServers:
    """Return the caller's own record, as it was looked up, with the servers' rows, at most a second old.

    Without the rows for who may not see them anyway: the tokens of notebooks' visitors, which ask most.
    """
    if caller.scopes.grant("read:servers") is None and caller.scopes.grant("read:users") is None:
        return _own_record(ctx, caller)
    seen, now = ctx.callers.servers, ctx.clock.monotonic()
    rows = seen.get(caller.user.id, now)
    if rows is None:
        epoch = seen.epoch
        async with ctx.store.read() as tx:
            rows = tuple(await tx.servers.of_users([caller.user.id]))
        seen.put(caller.user.id, rows, now, epoch)
    waits: Mapping[int, Standing] = {}
    if any(row.pending == "spawn" or (row.active and ctx.settings.device_pools) for row in rows):
        async with ctx.store.read() as tx:
            waits = await standings(ctx, tx, rows)
    return _own_record(ctx, caller, rows, waits)


def _own_record(
    ctx: HubContext,
    caller: Caller,
    rows: Iterable[Server] = (),
    waits: Mapping[int, Standing] = MappingProxyType({}),
) -> UserWithServers:
    servers = tuple(map(ctx.activity.of_server, rows))
    return UserWithServers(ctx.activity.of_user(caller.user), servers, waits, caller.groups, caller.roles)


async def owner_of_token(
    ctx: HubContext, caller: Caller, secret: str
) -> tuple[Caller, UserWithServers | ServiceWithRoles]:
    """Return a token's owner, and the caller as one who may know name and groups of that owner.

    Holding a token is proof enough. Raises NotFound for an unknown token.
    """
    owner = await caller_of_token(ctx, secret)
    if owner is None:
        raise NotFound
    if owner.service is not None:
        shown = {f"read:services:name!service={owner.name}"}
        return _seeing(caller, shown), await services.get_self(ctx, owner)
    shown = {f"{scope}!user={owner.name}" for scope in IDENTIFY_SCOPES}
    return _seeing(caller, shown), await get_self(ctx, owner)


def _seeing(caller: Caller, scopes: Set[str]) -> Caller:
    return replace(caller, scopes=Scopes(caller.scopes.names | scopes))


async def list_users(
    ctx: HubContext, caller: Caller, which: UserFilter, page: PageRequest
) -> Page[UserWithServers]:
    """Return the users that `which` selects and the caller may list; a fixed number of queries."""
    grant = caller.scopes.grant("list:users")
    if grant is None or not (grant.everything or grant.users or grant.groups):
        raise LacksScope(["list:users"])
    if not grant.everything:
        which = replace(which, names=tuple(sorted(grant.users)), groups=tuple(sorted(grant.groups)))
    await ctx.pages.take()
    async with ctx.store.read() as tx:
        found = await tx.users.page(which, page)
        items = await _complete(ctx, tx, found.items)
    return Page(tuple(items), found.offset, found.limit, found.total)


async def create_users(
    ctx: HubContext, caller: Caller, names: Sequence[str], *, admin: bool = False
) -> list[UserWithServers]:
    """Create the users of `names` that do not exist yet and return them.

    Raises Invalid for a bad name, Conflict when all exist, Forbidden when a non-admin makes an admin.
    """
    wanted = [ctx.authenticator.normalize_username(name) for name in names]
    for name in wanted:
        caller.require("admin:users", user=name)
    if not caller.is_admin and (admin or any(map(ctx.authenticator.is_listed_admin, wanted))):
        raise Forbidden("Only admins can grant admin permissions")
    bad = [name for name in wanted if not _is_good(ctx, name)]
    if bad:
        raise Invalid(
            f"Invalid username{'s' if len(bad) > 1 else ''}: {', '.join(_short(name) for name in bad)}",
            field="names",
        )
    await _welcome(ctx, wanted)
    created: list[User] = []
    async with ctx.store.write(durable=True) as tx:
        for name in dict.fromkeys(wanted):
            if await tx.users.get(name) is None:
                created.append(await tx.users.create(name, admin=admin, now=ctx.clock.now()))
    if not created:
        raise Conflict(f"All {len(wanted)} users already exist")
    return [UserWithServers(user) for user in created]


async def create_user(ctx: HubContext, caller: Caller, name: str, *, admin: bool = False) -> UserWithServers:
    """Create one user and return them; raises what `create_users` does, and Conflict by the user's name."""
    try:
        return (await create_users(ctx, caller, [name], admin=admin))[0]
    except Conflict:
        raise Conflict(f"User {_short(name)} already exists") from None


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What is to become of a user; None leaves it as it is."""

    name: str | None = None
    admin: bool | None = None
    groups: Sequence[str] | None = None
    roles: Sequence[str] | None = None
    auth_state: Mapping[str, Any] | None = field(default=None, repr=False)
    """For the authenticator and for spawners; nothing else looks into it."""


async def change_user(ctx: HubContext, caller: Caller, name: str, changes: UserChanges) -> UserWithServers:
    """Change a user, all of it or nothing, and return them.

    Raises Invalid for a bad or taken name, Forbidden for what would give somebody more than the caller has,
    and when others than admins want to change an admin. Groups that change need the scope to change their
    members. Roles with or without `admin` change the admin flag, unless that is given too.
    """
    caller.require("admin:users", user=name)
    new_name = changes.name
    if new_name is not None and new_name != name:
        new_name = ctx.authenticator.normalize_username(new_name)
        if not _is_good(ctx, new_name):
            raise Invalid(f"Invalid username: {_short(new_name)!r}", field="name")
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound
        _refuse_for_admins(ctx, caller, user, changes, new_name)
        if changes.roles is not None:
            await set_roles(ctx, tx, caller, user, changes.roles)
            changes = replace(changes, admin=_wants_admin(changes))
        if changes.groups is not None:
            await set_groups(ctx, tx, caller, user, changes.groups)
        if new_name is not None and new_name != name:
            await _rename(tx, user, new_name)
        if changes.admin is not None:
            await tx.users.set_admin(user.id, changes.admin)
        if changes.auth_state is not None:
            await keep_auth_state(ctx, tx, user, changes.auth_state)
        tx.announce(RightsChanged(user.id))
        changed = await tx.users.get_by_id(user.id)
        record = (await _complete(ctx, tx, [user if changed is None else changed]))[0]
    return await _with_auth_state(ctx, caller, record)


def _wants_admin(changes: UserChanges) -> bool | None:
    if changes.admin is None and changes.roles is not None:
        return ADMIN.name in changes.roles
    return changes.admin


def _refuse_for_admins(
    ctx: HubContext, caller: Caller, user: User, changes: UserChanges, new_name: str | None
) -> None:
    """Raise Forbidden when only an admin may make these changes, NotFound for a name out of reach."""
    if caller.is_admin:
        return
    if user.admin:
        raise Forbidden("Only admins can modify other admins")
    if changes.admin or _wants_admin(changes):
        raise Forbidden("Only admins can grant admin permissions")
    if new_name is not None and new_name != user.name:
        # Scopes that name a user mean whoever has that name.
        if ctx.authenticator.is_listed_admin(new_name):
            raise Forbidden("Only admins can grant admin permissions")
        caller.require("admin:users", user=new_name)


async def _rename(tx: Transaction, user: User, new_name: str) -> None:
    if any(server.active for server in await tx.servers.of_users([user.id])):
        raise Invalid(f"Stop the servers of {user.name} before renaming", field="name")
    if await tx.users.get(new_name) is not None:
        raise Invalid(f"User {new_name} already exists, username must be unique", field="name")
    await tx.users.rename(user.id, new_name)


async def _complete(ctx: HubContext, tx: Transaction, users: Sequence[User]) -> list[UserWithServers]:
    """Return users with all that answers show of them; a fixed number of queries.

    Moments of activity are the latest that are known, written or not.
    """
    ids = [user.id for user in users]
    servers = await tx.servers.of_users(ids)
    waits = await standings(ctx, tx, servers)
    owned: dict[int, list[Server]] = {}
    for server in servers:
        owned.setdefault(server.user_id, []).append(ctx.activity.of_server(server))
    groups, roles = await tx.groups.of_users(ids), await tx.roles.of_users(ids)
    return [
        _new_record(
            ctx.activity.of_user(user),
            tuple(owned.get(user.id, ())),
            waits,
            groups.get(user.id, ()),
            roles.get(user.id, ()),
        )
        for user in users
    ]


async def delete_user(ctx: HubContext, caller: Caller, name: str) -> None:
    """Stop and remove a user's servers, with what their driver keeps for them, and remove the user.

    Raises Invalid for oneself, and when a server takes longer to go than `slow_stop_timeout` (try again).
    """
    caller.require("delete:users", user=name)
    if caller.is_user(name):
        raise Invalid("Cannot delete yourself!")
    await remove_user(ctx, name)


async def remove_user(ctx: HubContext, name: str) -> None:
    """Do what `delete_user` does, for the hub itself."""
    await _remove_servers(ctx, name)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound
        servers = await tx.servers.of_users([user.id])
        if any(server.active or server.leaving for server in servers):
            raise Invalid(f"{name}'s server is in the process of stopping, please wait.")
        await tx.users.delete(user.id)
        tx.announce(RightsChanged(user.id))
        for server in servers:
            announce_change(tx, server)
    for server in servers:
        ctx.progress.forget(server.id)
    await ctx.authenticator.delete_user_now(name)


async def _remove_servers(ctx: HubContext, name: str) -> None:
    """Ask for the end and removal of a user's servers and wait for it, though not for ever."""
    async with ctx.store.read() as tx:
        user = await tx.users.get(name)
        servers = [] if user is None else await tx.servers.of_users([user.id])
    for server in servers:
        await change(ctx, server.id, partial(ask_stop, delete=True), durable=True)
    limit = ctx.settings.slow_stop_timeout
    await asyncio.gather(*(wait_until_settled(ctx, server, limit) for server in servers))


def _is_good(ctx: HubContext, name: str) -> bool:
    """Tell whether a normalised name is one that a user may have."""
    try:
        return ctx.authenticator.validate_username(check_user_name(name))
    except Invalid:
        return False


def _short(name: str) -> str:
    # What somebody sent may be of any length; an answer is not.
    return name if len(name) <= 80 else name[:80] + "…"


async def _welcome(ctx: HubContext, names: Sequence[str]) -> None:
    """Let the authenticator do what each new user needs, before a row exists."""
    async with ctx.store.read() as tx:
        fresh = [name for name in dict.fromkeys(names) if await tx.users.get(name) is None]
    for name in fresh:
        await ctx.authenticator.add_user_now(name)
