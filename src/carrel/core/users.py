"""Users: listing, creating, changing and removing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.groups import set_groups
from carrel.core.roles import set_roles
from carrel.core.servers import announce_change, change, wait_until_settled
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.names import check_user_name
from carrel.domain.paging import Page, PageRequest
from carrel.domain.roles import ADMIN
from carrel.domain.servers import Server
from carrel.domain.transitions import ask_stop
from carrel.domain.users import User
from carrel.storage.base import Transaction, UserFilter

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
    ahead: Mapping[int, int] = field(default_factory=dict)
    """Of the servers that wait for their start, by id: how many starts are ahead."""
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


async def get_user(ctx: HubContext, caller: Caller, name: str) -> UserWithServers:
    """Return a user; raise NotFound when there is none or the caller may not know."""
    caller.require(*READ_ANY, user=name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound(f"No such user: {name}")
        return (await _complete(tx, [user]))[0]


async def get_self(ctx: HubContext, caller: Caller) -> UserWithServers:
    """Return the caller's own record, as it was looked up, with the servers' rows, at most a second old.

    Without the rows for who may not see them anyway: the tokens of notebooks' visitors, which ask most.
    """
    if caller.scopes.grant("read:servers") is None and caller.scopes.grant("read:users") is None:
        return UserWithServers(caller.user, (), {}, caller.groups, caller.roles)
    seen, now = ctx.callers.servers, ctx.clock.monotonic()
    rows = seen.get(caller.user.id, now)
    if rows is None:
        epoch = seen.epoch
        async with ctx.store.read() as tx:
            rows = tuple(await tx.servers.of_users([caller.user.id]))
        seen.put(caller.user.id, rows, now, epoch)
    ahead: Mapping[int, int] = {}
    if any(row.waiting for row in rows):
        async with ctx.store.read() as tx:
            ahead = await _positions(tx, rows)
    return UserWithServers(caller.user, rows, ahead, caller.groups, caller.roles)


async def list_users(
    ctx: HubContext, caller: Caller, which: UserFilter, page: PageRequest
) -> Page[UserWithServers]:
    """Return the users that `which` selects and the caller may list; a fixed number of queries."""
    grant = caller.scopes.grant("list:users")
    if grant is None or not (grant.everything or grant.users or grant.groups):
        raise Forbidden("Action is not authorized with current scopes; requires any of [list:users]")
    if not grant.everything:
        which = replace(which, names=tuple(sorted(grant.users)), groups=tuple(sorted(grant.groups)))
    async with ctx.store.read() as tx:
        found = await tx.users.page(which, page)
        items = await _complete(tx, found.items)
    return Page(tuple(items), found.offset, found.limit, found.total)


async def _positions(tx: Transaction, servers: Sequence[Server]) -> Mapping[int, int]:
    """Return where the starts stand that wait; one query, and none where nobody waits."""
    waiting = [server.id for server in servers if server.waiting]
    return await tx.servers.positions(waiting) if waiting else {}


async def create_users(
    ctx: HubContext, caller: Caller, names: Sequence[str], *, admin: bool = False
) -> list[UserWithServers]:
    """Create the users of `names` that do not exist yet and return them.

    Raises Invalid for a bad name, Conflict when all exist, Forbidden when a non-admin makes an admin.
    """
    normal = [ctx.authenticator.normalize_username(name) for name in names]
    for name in normal:
        caller.require("admin:users", user=name)
    if not caller.is_admin and (admin or any(map(ctx.authenticator.is_listed_admin, normal))):
        raise Forbidden("Only admins can grant admin permissions")
    wanted = [_check_name(ctx, name) for name in normal]
    await _welcome(ctx, wanted)
    created: list[User] = []
    async with ctx.store.write(durable=True) as tx:
        for name in dict.fromkeys(wanted):
            if await tx.users.get(name) is None:
                created.append(await tx.users.create(name, admin=admin, now=ctx.clock.now()))
    if not created:
        raise Conflict(f"User {wanted[0]} already exists" if len(wanted) == 1 else "All users exist already")
    return [UserWithServers(user) for user in created]


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What is to become of a user; None leaves it as it is."""

    name: str | None = None
    admin: bool | None = None
    groups: Sequence[str] | None = None
    roles: Sequence[str] | None = None


async def change_user(ctx: HubContext, caller: Caller, name: str, changes: UserChanges) -> UserWithServers:
    """Change a user, all of it or nothing, and return them.

    Raises Forbidden for what would give somebody more than the caller has, and when others than admins want
    to change an admin. Groups that change need the scope to change their members. Roles with or without
    `admin` change the admin flag, unless that is given too.
    """
    caller.require("admin:users", user=name)
    new_name = changes.name
    if new_name is not None:
        new_name = _check_name(ctx, ctx.authenticator.normalize_username(new_name))
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound(f"No such user: {name}")
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
        tx.announce(RightsChanged(user.id))
        changed = await tx.users.get_by_id(user.id)
        return (await _complete(tx, [user if changed is None else changed]))[0]


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
        raise Invalid(f"Stop the servers of {user.name} before renaming")
    if await tx.users.get(new_name) is not None:
        raise Invalid(f"User {new_name} already exists, username must be unique")
    await tx.users.rename(user.id, new_name)


async def _complete(tx: Transaction, users: Sequence[User]) -> list[UserWithServers]:
    """Return users with all that answers show of them; a fixed number of queries."""
    ids = [user.id for user in users]
    servers = await tx.servers.of_users(ids)
    ahead = await _positions(tx, servers)
    owned: dict[int, list[Server]] = {}
    for server in servers:
        owned.setdefault(server.user_id, []).append(server)
    groups, roles = await tx.groups.of_users(ids), await tx.roles.of_users(ids)
    return [
        UserWithServers(
            user, tuple(owned.get(user.id, ())), ahead, groups.get(user.id, ()), roles.get(user.id, ())
        )
        for user in users
    ]


async def delete_user(ctx: HubContext, caller: Caller, name: str) -> None:
    """Stop a user's servers and remove the user.

    Raises Invalid for oneself, and when a server takes longer to stop than `slow_stop_timeout` (try again).
    """
    caller.require("delete:users", user=name)
    if name == caller.user.name:
        raise Invalid("Cannot delete yourself!")
    await _stop_servers(ctx, name)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound(f"No such user: {name}")
        servers = await tx.servers.of_users([user.id])
        if any(server.active for server in servers):
            raise Invalid(f"{name}'s server is in the process of stopping, please wait.")
        await tx.users.delete(user.id)
        tx.announce(RightsChanged(user.id))
        for server in servers:
            announce_change(tx, server)
    for server in servers:
        ctx.progress.forget(server.id)
    await ctx.authenticator.delete_user_now(name)


async def _stop_servers(ctx: HubContext, name: str) -> None:
    """Ask for the end of a user's servers and wait for it, though not for ever."""
    async with ctx.store.read() as tx:
        user = await tx.users.get(name)
        servers = [] if user is None else [row for row in await tx.servers.of_users([user.id]) if row.active]
    for server in servers:
        await change(ctx, server.id, ask_stop, durable=True)
    for server in servers:
        await wait_until_settled(ctx, server, ctx.settings.slow_stop_timeout)


def _check_name(ctx: HubContext, name: str) -> str:
    """Return a normalised name that a user may have; raise Invalid otherwise."""
    if not ctx.authenticator.validate_username(check_user_name(name)):
        raise Invalid(f"Invalid username: {name}")
    return name


async def _welcome(ctx: HubContext, names: Sequence[str]) -> None:
    """Let the authenticator do what each new user needs, before a row exists."""
    async with ctx.store.read() as tx:
        fresh = [name for name in dict.fromkeys(names) if await tx.users.get(name) is None]
    for name in fresh:
        await ctx.authenticator.add_user_now(name)
