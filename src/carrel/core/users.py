"""Users: listing, creating, changing and removing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import announce_change, change, wait_until_settled
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.names import check_user_name
from carrel.domain.paging import Page, PageRequest
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
    """A user and all of their servers' rows."""

    user: User
    servers: tuple[Server, ...] = ()
    ahead: Mapping[int, int] = field(default_factory=dict)
    """Of the servers that wait for their start, by id: how many starts are ahead."""


async def get_user(ctx: HubContext, caller: Caller, name: str) -> UserWithServers:
    """Return a user; raise NotFound when there is none or the caller may not know."""
    caller.require(*READ_ANY, user=name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound(f"No such user: {name}")
        servers = tuple(await tx.servers.of_users([user.id]))
        return UserWithServers(user, servers, await _positions(tx, servers))


async def get_self(ctx: HubContext, caller: Caller) -> UserWithServers:
    """Return the caller's own record, as it was looked up, with the servers' rows, at most a second old.

    Without the rows for who may not see them anyway: the tokens of notebooks' visitors, which ask most.
    """
    if caller.scopes.grant("read:servers") is None and caller.scopes.grant("read:users") is None:
        return UserWithServers(caller.user)
    seen, now = ctx.callers.servers, ctx.clock.monotonic()
    rows = seen.get(caller.user.id, now)
    if rows is None:
        epoch = seen.epoch
        async with ctx.store.read() as tx:
            rows = tuple(await tx.servers.of_users([caller.user.id]))
        seen.put(caller.user.id, rows, now, epoch)
    if not any(row.waiting for row in rows):
        return UserWithServers(caller.user, rows)
    async with ctx.store.read() as tx:
        return UserWithServers(caller.user, rows, await _positions(tx, rows))


async def list_users(
    ctx: HubContext, caller: Caller, which: UserFilter, page: PageRequest
) -> Page[UserWithServers]:
    """Return the users that `which` selects and the caller may list; a fixed number of queries."""
    visible = caller.scopes.visible_users("list:users")
    if visible is not None:
        if not visible:
            raise Forbidden("Action is not authorized with current scopes; requires any of [list:users]")
        which = UserFilter(which.name_contains, which.state, tuple(visible), which.sort, which.descending)
    async with ctx.store.read() as tx:
        found = await tx.users.page(which, page)
        servers = await tx.servers.of_users([user.id for user in found.items])
        ahead = await _positions(tx, servers)
    owned: dict[int, list[Server]] = {}
    for server in servers:
        owned.setdefault(server.user_id, []).append(server)
    items = tuple(UserWithServers(user, tuple(owned.get(user.id, ())), ahead) for user in found.items)
    return Page(items, found.offset, found.limit, found.total)


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
    if admin and not caller.user.admin:
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


async def change_user(
    ctx: HubContext, caller: Caller, name: str, *, new_name: str | None = None, admin: bool | None = None
) -> UserWithServers:
    """Rename a user or change their admin flag, and return them."""
    caller.require("admin:users", user=name)
    if admin is not None and not caller.user.admin:
        raise Forbidden("Only admins can change admin permissions")
    if new_name is not None:
        new_name = _check_name(ctx, ctx.authenticator.normalize_username(new_name))
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound(f"No such user: {name}")
        servers = tuple(await tx.servers.of_users([user.id]))
        if new_name is not None and new_name != name:
            if any(server.active for server in servers):
                raise Invalid(f"Stop the servers of {name} before renaming")
            if await tx.users.get(new_name) is not None:
                raise Invalid(f"User {new_name} already exists, username must be unique")
            await tx.users.rename(user.id, new_name)
        if admin is not None:
            await tx.users.set_admin(user.id, admin)
        changed = await tx.users.get_by_id(user.id)
        servers = tuple(await tx.servers.of_users([user.id]))
        tx.announce(RightsChanged(user.id))
    return UserWithServers(user if changed is None else changed, servers)


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
