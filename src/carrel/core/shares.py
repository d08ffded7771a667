"""Sharing servers: who may do what with a server that is somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.access import towards
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.groups import announce_rights
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.names import full_name
from carrel.domain.paging import Page, PageRequest
from carrel.domain.servers import Server
from carrel.domain.shares import DEFAULT_SCOPES, Receiver, Share, filtered, shared_names
from carrel.storage.base import Transaction
from carrel.storage.shares import ShareFilter


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """With whom a server is to be shared, or no more: a user or a group, and which scopes; None means all."""

    user: str | None = None
    group: str | None = None
    scopes: Sequence[str] | None = None


async def list_shares(
    ctx: HubContext, caller: Caller, owner: str, server: str | None, page: PageRequest
) -> Page[Share]:
    """Return the shares of a server, or for None of all servers of `owner`; two queries."""
    _require(caller, "read:shares", owner, server)
    async with ctx.store.read() as tx:
        which = await shares_of(tx, owner, server)
        return Page((), page.offset, page.limit, 0) if which is None else await tx.shares.page(which, page)


async def share_server(
    ctx: HubContext, caller: Caller, owner: str, server: str, request: ShareRequest
) -> Share:
    """Give a user or a group scopes for a server beside those that they have; return the share.

    Raises Invalid for scopes that are not about this server, an unknown user or group, and unless exactly one
    of them is named; Forbidden for scopes that the caller does not hold for the server, and for somebody of
    whom the caller may not know. May be repeated.
    """
    _require(caller, "shares", owner, server)
    names = names_to_give(ctx, request.scopes, owner, server)
    _check_one(request)
    caller = await towards(ctx, caller, [owner, *filter(None, [request.user])])
    async with ctx.store.write(durable=True) as tx:
        row = await server_to_share(ctx, tx, owner, server)
        refuse_excess(caller, names, owner, server)
        receiver = await _receiver(tx, caller, request)
        present = await tx.shares.find(row.id, receiver)
        scopes = {*names, *(present.scopes if present else ())}
        return await give(ctx, tx, row.id, receiver, scopes)


async def give(
    ctx: HubContext, tx: Transaction, server_id: int, receiver: Receiver, scopes: set[str]
) -> Share:
    """Write a share and tell every hub; whether it may be is not asked here."""
    share = await tx.shares.put(server_id, receiver, scopes, now=ctx.clock.now())
    ids = await tx.groups.member_ids(receiver.id) if receiver.kind == "group" else {receiver.id}
    announce_rights(tx, ids)
    return share


async def unshare_server(
    ctx: HubContext, caller: Caller, owner: str, server: str, request: ShareRequest
) -> Share | None:
    """Take scopes for a server, or all, from a user or a group; return what is left, None for nothing.

    May be repeated; who has nothing, or does not exist, loses nothing. Raises Invalid as `share_server` does.
    """
    _require(caller, "shares", owner, server)
    wanted = request.scopes or ()
    lost = set(shared_names(wanted, full_name(owner, server), ctx.catalog))
    _check_one(request)
    async with ctx.store.write(durable=True) as tx:
        row = await _server(tx, owner, server)
        receiver = await _find_receiver(tx, request)
        share = None if row is None or receiver is None else await tx.shares.find(row.id, receiver)
        if share is None:
            return None
        rest = {name for name in share.scopes if name not in lost} if lost else set()
        tx.announce(RightsChanged(share.server.owner_id))
        if rest:
            return await tx.shares.put(share.server.id, share.receiver, rest, now=ctx.clock.now())
        await tx.shares.delete(share.id)
        return None


async def unshare_all(ctx: HubContext, caller: Caller, owner: str, server: str) -> None:
    """Take what is shared of a server from everybody. May be repeated."""
    _require(caller, "shares", owner, server)
    async with ctx.store.write(durable=True) as tx:
        row = await _server(tx, owner, server)
        if row is not None:
            await tx.shares.delete_of_server(row.id)
            tx.announce(RightsChanged(row.user_id))


async def shared_with_user(ctx: HubContext, caller: Caller, name: str, page: PageRequest) -> Page[Share]:
    """Return what is shared with a user, also by their groups."""
    caller.require("read:users:shares", user=name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(name)
        if user is None:
            raise NotFound(f"No such user: {name[:80]}")
        return await tx.shares.page(ShareFilter(user_id=user.id), page)


async def shared_with_group(ctx: HubContext, caller: Caller, name: str, page: PageRequest) -> Page[Share]:
    """Return what is shared with a group."""
    caller.require("read:groups:shares", group=name)
    async with ctx.store.read() as tx:
        group = await tx.groups.get(name)
        if group is None:
            raise NotFound(f"No such group: {name[:80]}")
        return await tx.shares.page(ShareFilter(group_id=group.id), page)


async def get_share_of_user(ctx: HubContext, caller: Caller, name: str, owner: str, server: str) -> Share:
    """Return what is shared of one server with a user by name; raise NotFound for nothing."""
    caller.require("read:users:shares", user=name)
    async with ctx.store.read() as tx:
        return await _share_of(tx, ShareRequest(user=name), owner, server)


async def get_share_of_group(ctx: HubContext, caller: Caller, name: str, owner: str, server: str) -> Share:
    """Return what is shared of one server with a group; raise NotFound for nothing."""
    caller.require("read:groups:shares", group=name)
    async with ctx.store.read() as tx:
        return await _share_of(tx, ShareRequest(group=name), owner, server)


async def give_up_share_of_user(ctx: HubContext, caller: Caller, name: str, owner: str, server: str) -> None:
    """End what is shared of one server with a user by name; raise NotFound for nothing."""
    caller.require("users:shares", user=name)
    await _give_up(ctx, ShareRequest(user=name), owner, server)


async def give_up_share_of_group(ctx: HubContext, caller: Caller, name: str, owner: str, server: str) -> None:
    """End what is shared of one server with a group; raise NotFound for nothing."""
    caller.require("groups:shares", group=name)
    await _give_up(ctx, ShareRequest(group=name), owner, server)


def names_to_give(ctx: HubContext, scopes: Sequence[str] | None, owner: str, server: str) -> tuple[str, ...]:
    """Return the bare names of the scopes that somebody wants to share; Invalid for those that cannot be."""
    return shared_names(scopes or DEFAULT_SCOPES, full_name(owner, server), ctx.catalog)


def refuse_excess(caller: Caller, names: Sequence[str], owner: str, server: str) -> None:
    """Return when the caller holds all scopes for a server; raise Forbidden otherwise."""
    full = full_name(owner, server)
    for name, scope in zip(names, filtered(names, full), strict=True):
        if not caller.may(name, server=full):
            raise Forbidden(f"Do not have permission to grant share with scope {scope}")


async def server_to_share(ctx: HubContext, tx: Transaction, owner: str, server: str) -> Server:
    """Return the row of a server, which for a default server that was never started is made now.

    Raises NotFound for an unknown user, and for a named server that does not exist.
    """
    found = await _server(tx, owner, server)
    if found is not None:
        return found
    user = await tx.users.get(owner)
    if user is None or server:
        raise _no_server(owner, server)
    try:
        return await tx.servers.create(user.id, server, now=ctx.clock.now())
    except Conflict:
        # Another hub has made it at the same moment.
        found = await tx.servers.get(user.id, server)
        if found is None:
            raise
        return found


async def shares_of(tx: Transaction, owner: str, server: str | None) -> ShareFilter | None:
    """Return what selects the shares of a server, or for None of all servers of `owner`.

    None for a default server without a row: nothing is shared of it. Raises NotFound for what does not exist.
    """
    if server is not None:
        found = await _server(tx, owner, server)
        return None if found is None else ShareFilter(server_id=found.id)
    user = await tx.users.get(owner)
    if user is None:
        raise NotFound
    return ShareFilter(owner_id=user.id)


def _require(caller: Caller, scope: str, owner: str, server: str | None) -> None:
    full = None if server is None else full_name(owner, server)
    caller.require(scope, user=owner, server=full)


def _check_one(request: ShareRequest) -> None:
    if bool(request.user) == bool(request.group):
        raise Invalid("Specify exactly one of user and group")


async def _server(tx: Transaction, owner: str, server: str) -> Server | None:
    """Return a server's row, None for a default server without one; raise NotFound for any other."""
    user = await tx.users.get(owner)
    found = None if user is None else await tx.servers.get(user.id, server)
    if user is None or (found is None and server):
        raise _no_server(owner, server)
    return found


def _no_server(owner: str, server: str) -> NotFound:
    return NotFound(f"No such server: {full_name(owner[:80], server[:80])}")


async def _receiver(tx: Transaction, caller: Caller, request: ShareRequest) -> Receiver:
    """Return with whom to share; raises Forbidden before Invalid, so that names are not told."""
    if request.user and not caller.may("read:users:name", user=request.user):
        raise Forbidden("Need scope 'read:users:name' to share with users by name")
    if request.group and not caller.may("read:groups:name", group=request.group):
        raise Forbidden("Need scope 'read:groups:name' to share with groups by name")
    found = await _find_receiver(tx, request)
    if found is None:
        kind, name = ("user", request.user) if request.user else ("group", request.group)
        raise Invalid(f"No such {kind}: {(name or '')[:80]}")
    return found


async def _find_receiver(tx: Transaction, request: ShareRequest) -> Receiver | None:
    if request.user:
        user = await tx.users.get(request.user)
        return None if user is None else Receiver("user", user.id, user.name)
    group = await tx.groups.get(request.group or "")
    return None if group is None else Receiver("group", group.id, group.name)


async def _share_of(tx: Transaction, whose: ShareRequest, owner: str, server: str) -> Share:
    receiver = await _find_receiver(tx, whose)
    if receiver is None and whose.group:
        raise NotFound(f"No such group: {whose.group[:80]}")
    user = await tx.users.get(owner)
    row = None if user is None else await tx.servers.get(user.id, server)
    share = None if row is None or receiver is None else await tx.shares.find(row.id, receiver)
    if share is None:
        who = f"group {whose.group}" if whose.group else f"user {whose.user}"
        raise NotFound(f"No such share for {who[:90]} on {full_name(owner[:80], server[:80])}")
    return share


async def _give_up(ctx: HubContext, whose: ShareRequest, owner: str, server: str) -> None:
    async with ctx.store.write(durable=True) as tx:
        share = await _share_of(tx, whose, owner, server)
        await tx.shares.delete(share.id)
        tx.announce(RightsChanged(share.server.owner_id))
