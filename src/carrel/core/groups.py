"""Groups: who may see, make, change and remove them, and who is in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from carrel.core.access import given_by
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.roles import refuse_gain
from carrel.domain.errors import Conflict, Invalid, LacksScope, NotFound
from carrel.domain.events import GroupChanged, RightsChanged, RolesChanged
from carrel.domain.groups import Group, check_group_name
from carrel.domain.paging import Page, PageRequest
from carrel.domain.users import User
from carrel.storage.base import Transaction

READ_ANY = ("read:groups", "read:groups:name", "read:roles:groups")
#: So many users are told of one by one; beyond it is cheaper to look everybody up again.
_MANY = 50


@dataclass(frozen=True, slots=True)
class GroupWithRoles:
    """A group and the names of its roles."""

    group: Group
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupOutline(GroupWithRoles):
    """A group with no more than a page of its members, and how many there are."""

    size: int = 0


async def list_groups(ctx: HubContext, caller: Caller, page: PageRequest) -> Page[GroupWithRoles]:
    """Return the groups that the caller may list; a fixed number of queries."""
    names = _listable(caller)
    await ctx.pages.take()
    async with ctx.store.read() as tx:
        found = await tx.groups.page(names, page)
        items = await _with_roles(tx, found.items)
    return Page(tuple(items), found.offset, found.limit, found.total)


async def outline_groups(ctx: HubContext, caller: Caller, page: PageRequest) -> Page[GroupOutline]:
    """Return the groups that the caller may list without their members, however many these are."""
    names = _listable(caller)
    async with ctx.store.read() as tx:
        found = await tx.groups.outlines(names, page)
        records = await _with_roles(tx, [group for group, _ in found.items])
    sizes = [size for _, size in found.items]
    items = (GroupOutline(each.group, each.roles, size) for each, size in zip(records, sizes, strict=True))
    return Page(tuple(items), found.offset, found.limit, found.total)


async def outline_group(ctx: HubContext, caller: Caller, name: str, members: PageRequest) -> GroupOutline:
    """Return a group with a page of its members; raise NotFound as `get_group` does."""
    caller.require(*READ_ANY, group=name)
    async with ctx.store.read() as tx:
        found = await tx.groups.outline(name, members)
        if found is None:
            raise NotFound(f"No such group: {name[:80]}")
        [record] = await _with_roles(tx, [found[0]])
    return GroupOutline(record.group, record.roles, found[1])


def _listable(caller: Caller) -> list[str] | None:
    """Return the names of the groups that the caller may list, None for all; raise Forbidden for none."""
    grant = caller.scopes.grant("list:groups")
    if grant is None or not (grant.everything or grant.groups):
        raise LacksScope(["list:groups"])
    return None if grant.everything else sorted(grant.groups)


async def get_group(ctx: HubContext, caller: Caller, name: str) -> GroupWithRoles:
    """Return a group; raise NotFound when there is none or the caller may not know."""
    caller.require(*READ_ANY, group=name)
    async with ctx.store.read() as tx:
        return await _reload(tx, name)


async def create_groups(
    ctx: HubContext, caller: Caller, names: Sequence[str], users: Sequence[str] = ()
) -> list[GroupWithRoles]:
    """Create groups, each with `users` in it; all of them or none.

    Raises Conflict when one exists, Invalid for a bad name, an unknown user or no names, and Forbidden when
    a name's roles give the users more than the caller has.
    """
    for name in names:
        caller.require("admin:groups", group=name)
    if not names:
        caller.require("admin:groups")
        raise Invalid("Must specify at least one group to create")
    async with ctx.store.write(durable=True) as tx:
        members = await _find_users(ctx, tx, users)
        for name in names:
            group = await tx.groups.create(check_group_name(name))
            await _join(ctx, tx, caller, group, members)
        return [await _reload(tx, name) for name in names]


async def delete_group(ctx: HubContext, caller: Caller, name: str) -> None:
    """Remove a group; its roles wait for another one of that name."""
    caller.require("delete:groups", group=name)
    async with ctx.store.write(durable=True) as tx:
        group = await _find(tx, name)
        members = await tx.groups.member_ids(group.id)
        await tx.groups.delete(group.id)
        announce_members(tx, name, members)


async def add_members(ctx: HubContext, caller: Caller, name: str, users: Sequence[str]) -> GroupWithRoles:
    """Add users to a group and return it; those who are in it already stay.

    Raises Invalid for an unknown user, and Forbidden when the group's roles, or what is shared with it, give
    them what the caller lacks.
    """
    caller.require("groups", group=name)
    async with ctx.store.write(durable=True) as tx:
        group = await _find(tx, name)
        await _join(ctx, tx, caller, group, await _find_users(ctx, tx, users))
        return await _reload(tx, name)


async def remove_members(ctx: HubContext, caller: Caller, name: str, users: Sequence[str]) -> GroupWithRoles:
    """Take users out of a group and return it; raise Invalid for an unknown user."""
    caller.require("groups", group=name)
    async with ctx.store.write(durable=True) as tx:
        group = await _find(tx, name)
        await _leave(tx, group, {user.id for user in await _find_users(ctx, tx, users)})
        return await _reload(tx, name)


async def set_properties(
    ctx: HubContext, caller: Caller, name: str, properties: Mapping[str, Any]
) -> GroupWithRoles:
    """Replace a group's properties and return it."""
    caller.require("groups", group=name)
    async with ctx.store.write(durable=True) as tx:
        group = await _find(tx, name)
        await tx.groups.set_properties(group.id, properties)
        return await _reload(tx, name)


async def set_groups(
    ctx: HubContext, tx: Transaction, caller: Caller, user: User, names: Sequence[str]
) -> None:
    """Make `names` the groups of a user, as somebody who may change the members of each that changes.

    Raises Invalid for a group that does not exist, and what `add_members` raises.
    """
    present = set(await tx.groups.of_user(user.id))
    for name in sorted(present ^ set(names)):
        caller.require("groups", group=name)
        group = await tx.groups.get(name)
        if group is None:
            raise Invalid(f"No such group: {name[:80]}", field="groups")
        if name in present:
            await _leave(tx, group, {user.id})
        else:
            await _join(ctx, tx, caller, group, [user])


async def sync_groups(tx: Transaction, user: User, names: Iterable[str]) -> None:
    """Make `names` the groups of a user, as their authenticator says; groups that are new are made."""
    present, wanted = set(await tx.groups.of_user(user.id)), set(names)
    for name in sorted(present ^ wanted):
        group = await ensure_group(tx, name)
        if name in present:
            await _leave(tx, group, {user.id})
        else:
            await tx.groups.add(group.id, [user.id])
            announce_members(tx, name, [user.id])


async def ensure_group(tx: Transaction, name: str) -> Group:
    """Return a group, which is made when there is none; raise Invalid for a name that cannot be."""
    group = await tx.groups.get(name)
    if group is None:
        # Another hub may be as far as this line.
        with suppress(Conflict):
            await tx.groups.create(check_group_name(name))
        group = await _find(tx, name)
    return group


def announce_members(tx: Transaction, name: str, user_ids: Collection[int]) -> None:
    """Tell every hub that users have joined or left a group, once they have."""
    tx.announce(GroupChanged(name))
    announce_rights(tx, user_ids)


def announce_rights(tx: Transaction, user_ids: Collection[int]) -> None:
    """Tell every hub that what users may do has changed, once it has."""
    if len(user_ids) > _MANY:
        tx.announce(RolesChanged())
        return
    for user_id in sorted(user_ids):
        tx.announce(RightsChanged(user_id))


async def _join(
    ctx: HubContext, tx: Transaction, caller: Caller, group: Group, users: Sequence[User]
) -> None:
    present = await tx.groups.member_ids(group.id)
    new = [user for user in users if user.id not in present]
    roles = (await tx.roles.of_bearers("groups", [group.name])).get(group.name, ())
    shared = await given_by(ctx, tx, await tx.shares.of_group(group.id)) if new else ()
    await refuse_gain(ctx, tx, caller, new, roles, shared)
    ids = [user.id for user in new]
    await tx.groups.add(group.id, ids)
    announce_members(tx, group.name, ids)


async def _leave(tx: Transaction, group: Group, user_ids: Collection[int]) -> None:
    await tx.groups.remove(group.id, user_ids)
    announce_members(tx, group.name, user_ids)


async def _find(tx: Transaction, name: str) -> Group:
    group = await tx.groups.get(name)
    if group is None:
        raise NotFound(f"No such group: {name[:80]}")
    return group


async def _find_users(ctx: HubContext, tx: Transaction, names: Sequence[str]) -> list[User]:
    wanted = dict.fromkeys(ctx.authenticator.normalize_username(name) for name in names)
    found = {user.name: user for user in await tx.users.named(wanted)}
    for name in wanted:
        if name not in found:
            raise Invalid(f"No such user: {name[:80]}", field="users")
    return [found[name] for name in wanted]


async def _reload(tx: Transaction, name: str) -> GroupWithRoles:
    [record] = await _with_roles(tx, [await _find(tx, name)])
    return record


async def _with_roles(tx: Transaction, groups: Sequence[Group]) -> list[GroupWithRoles]:
    roles = await tx.roles.of_bearers("groups", [group.name for group in groups])
    return [GroupWithRoles(group, tuple(role.name for role in roles.get(group.name, ()))) for group in groups]
