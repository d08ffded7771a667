"""Servers at rest: made without a start, renamed, and given other options."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from carrel.core.admission import admit_name, named_server_limit, require_named_servers
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.drivers import rename_in_driver
from carrel.core.profiles import check_choice
from carrel.core.servers import announce_change, described, make_server, reload_server
from carrel.domain.errors import CarrelError, Conflict, Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.names import (
    check_display_name,
    check_server_name,
    full_name,
    server_label,
    server_slug,
    shortened,
)
from carrel.domain.servers import Server, never_started
from carrel.domain.users import User
from carrel.storage.base import StorageError, Transaction

_log = logging.getLogger("carrel.core")


@dataclass(frozen=True, slots=True)
class ServerChanges:
    """What is to become of a server; None leaves it as it is."""

    name: str | None = None
    display_name: str | None = None
    user_options: Mapping[str, Any] | None = None


async def create_server(
    ctx: HubContext,
    caller: Caller,
    user_name: str,
    server_name: str,
    *,
    display_name: str = "",
    options: Mapping[str, Any] | None = None,
) -> Server:
    """Make a named server without starting it, and return it.

    Raises Conflict when it exists, as every default server does, and Invalid for a name that cannot be,
    beyond the user's limit, where there are no named servers, and for options that are not theirs to choose.
    """
    caller.require("start:servers", user=user_name, server=full_name(user_name, server_name))
    limit = await named_server_limit(ctx, caller)
    if options is not None:
        options = await check_choice(ctx, user_name, server_name, options)
    async with ctx.store.write(durable=True) as tx:
        user = await _owner(tx, user_name)
        if not server_name:
            raise Conflict(f"User {user.name} already has a default server")
        if await tx.servers.get(user.id, server_name) is not None:
            raise Conflict(f"User {user.name} already has server {shortened(server_name)}")
        require_named_servers(ctx)
        made = await make_server(ctx, tx, user, server_name, limit)
        saved = await tx.servers.save(described(made, display_name or server_name, options))
        if saved is None:
            raise Conflict(f"User {user.name} already has server {server_name}")
        announce_change(tx, saved)
        return saved


async def change_server(
    ctx: HubContext, caller: Caller, user_name: str, server_name: str, changes: ServerChanges
) -> Server:
    """Rename a server that does not run, or change what it is called and its options; return it.

    A server's own token and OAuth client ended with its run, its state is empty, its log and its shares go by
    its id: the row is all that has its name. The driver hears of a new one first (`Spawner.rename`), and may
    refuse. Other scopes go by names: what somebody may do with a server they may not do with it under another
    name, and to give it one takes the right to start a server of that name. A default server that is renamed
    leaves room for a new one.

    Raises NotFound when there is no such server, Conflict when the new name is taken or somebody else changes
    the server, Invalid for one that runs, for names that cannot be and options that its owner may not choose.
    """
    caller.require("start:servers", user=user_name, server=full_name(user_name, server_name))
    new_name = changes.name
    if new_name is not None:
        caller.require("start:servers", user=user_name, server=full_name(user_name, new_name))
    limit = 0 if server_name or new_name is None else await named_server_limit(ctx, caller)
    if changes.user_options is not None:
        options = await check_choice(ctx, user_name, server_name, changes.user_options)
        changes = replace(changes, user_options=options)
    async with ctx.store.read() as tx:
        user = await _owner(tx, user_name)
        if changes == ServerChanges():
            raise Invalid("Must specify at least one field to modify.")
        await _check(ctx, tx, user, changes, limit)
        server = await _at_rest(tx, user, server_name)
        if new_name is not None and await _is_taken(tx, user, new_name):
            raise Conflict(f"User {user.name} already has server {shortened(new_name)!r}")
    if new_name is None:
        return await _write(ctx, server, changes)
    return await _write_renamed(ctx, server, changes, new_name)


async def _check(ctx: HubContext, tx: Transaction, user: User, changes: ServerChanges, limit: int) -> None:
    """Raise Invalid for names that cannot be, and where there are no named servers."""
    if changes.name is None and not changes.display_name:
        return
    require_named_servers(ctx)
    if changes.name is not None and not await _is_taken(tx, user, changes.name):
        await admit_name(tx, user, changes.name, limit)
    if changes.display_name:
        check_display_name(changes.display_name)


async def _at_rest(tx: Transaction, user: User, server_name: str) -> Server:
    server = await tx.servers.get(user.id, server_name)
    if server is None and not server_name:
        return never_started(user)
    if server is None:
        raise NotFound(f"User {user.name} has no such server {shortened(server_name)}")
    if server.active or server.leaving:
        label = server_label(user.name, server_name)
        raise Invalid(f"{label} is active. Please stop it before modifying it.")
    return server


async def _write(ctx: HubContext, server: Server, changes: ServerChanges) -> Server:
    """Write the changes, if the row is what it was: all of them or none."""
    shown = check_display_name(changes.display_name) if changes.display_name else server.display_name
    options = server.user_options if changes.user_options is None else dict(changes.user_options)
    async with ctx.store.write(durable=True) as tx:
        if not server.id:
            server = await tx.servers.create(server.user_id, server.name, now=ctx.clock.now())
        saved = await tx.servers.save(replace(server, display_name=shown, user_options=options))
        if saved is not None and changes.name is not None:
            saved = await _rename(tx, saved, changes.name)
        if saved is None:
            raise Conflict("The server is being changed by others; try again.")
        announce_change(tx, saved)
        if saved.name != server.name:
            # Those with whom it is shared may open it under its new name, and nothing under the old one.
            tx.announce(RightsChanged(saved.user_id))
        return ctx.activity.of_server(saved)


async def _write_renamed(ctx: HubContext, server: Server, changes: ServerChanges, name: str) -> Server:
    """Tell the driver of the new name and write the changes; when that fails, its driver takes it back."""
    await rename_in_driver(ctx, server, name)
    try:
        return await _write(ctx, server, changes)
    except BaseException:
        await _take_back(ctx, server, name)
        raise


async def _rename(tx: Transaction, server: Server, name: str) -> Server | None:
    try:
        return await tx.servers.rename(server, name)
    except Conflict:
        raise Conflict(f"User {server.user_name} already has server {name!r}") from None


async def _take_back(ctx: HubContext, server: Server, new_name: str) -> None:
    """Tell the driver that a server keeps its name, unless only the answer to the write was lost."""
    try:
        row = await reload_server(ctx, server.id)
        if row is None or row.name != new_name:
            await rename_in_driver(ctx, replace(server, name=new_name), server.name)
    except (CarrelError, StorageError) as error:
        label = server_label(server.user_name, server.name)
        _log.error("%s was not renamed, and its driver still thinks so: %s", label, error)


async def _is_taken(tx: Transaction, user: User, name: str) -> bool:
    """Tell whether a user has a server of this name; a default one everybody has, whether it ever ran."""
    return not name or await tx.servers.get(user.id, name) is not None


async def _owner(tx: Transaction, name: str) -> User:
    user = await tx.users.get(name)
    if user is None:
        raise NotFound
    return user


async def rename_old_servers(ctx: HubContext) -> int:
    """Give servers that do not run, and whose names are from before the present rule, new ones; say how many.

    Pages go on showing the old name. What runs, or cannot be renamed, is logged and left for the next time.
    """
    async with ctx.store.read() as tx:
        old = [server_id for server_id, name in await tx.servers.named() if not _is_new(name)]
    return sum([await _name_anew(ctx, server_id) for server_id in old])


def _shown(name: str) -> str | None:
    """Return what pages may call a server that was named so; None where nothing of it can be shown."""
    try:
        return check_display_name(" ".join(name.split()))
    except Invalid:
        return None


def _is_new(name: str) -> bool:
    try:
        check_server_name(name)
    except Invalid:
        return False
    return True


async def _name_anew(ctx: HubContext, server_id: int) -> bool:
    async with ctx.store.read() as tx:
        server = await tx.servers.get_by_id(server_id)
        taken = [] if server is None else [each.name for each in await tx.servers.of_users([server.user_id])]
    if server is None:
        return False
    name, label = server_slug(server.name, taken), server_label(server.user_name, server.name)
    if server.active or server.leaving:
        _log.error("%s has a name of old and runs: it is not renamed before it stops", label)
        return False
    try:
        shown = server.display_name or _shown(server.name)
        await _write_renamed(ctx, server, ServerChanges(name, display_name=shown), name)
    except CarrelError as error:
        _log.error("%s has a name of old and keeps it: %s", label, error)
        return False
    _log.info("%s is now called %s", label, name)
    return True
