"""Asking for servers: faces write the wish here, and wait for the reconciler to make it true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from carrel.core.admission import (
    admit_name,
    admit_old_name,
    admit_start,
    named_server_limit,
    require_named_servers,
)
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.profiles import check_choice
from carrel.core.refresh import require_fresh
from carrel.core.standing import standing, waiting_text
from carrel.domain.errors import Conflict, Invalid, NotFound
from carrel.domain.events import ServerChanged, ServerProgress
from carrel.domain.names import check_display_name, full_name, server_label, server_prefix, shortened
from carrel.domain.servers import Actual, Server, Wanted, never_started
from carrel.domain.transitions import ask_start, ask_stop
from carrel.domain.users import User
from carrel.storage.base import StorageContended, Transaction

_ATTEMPTS = 10
#: How often somebody who watches a waiting start is told where it stands, in seconds.
_LINE_INTERVAL = 1.0
#: How long a watcher relies on the events of other hubs before it looks for itself, in seconds.
_PATIENCE = 2.0


async def get_server(ctx: HubContext, caller: Caller, user_name: str, server_name: str = "") -> Server:
    """Return a server; raise NotFound when there is none or the caller may not see it."""
    caller.require("read:servers", user=user_name, server=full_name(user_name, server_name))
    async with ctx.store.read() as tx:
        return await _find(tx, user_name, server_name)


def may_read_log(caller: Caller, user_name: str, server_name: str = "") -> bool:
    """Tell whether the caller may see what a server wrote: who may open it, and who looks after servers."""
    full = full_name(user_name, server_name)
    return caller.may("access:servers", server=full) or caller.may("admin:server_state", server=full)


async def look_at_server(ctx: HubContext, caller: Caller, user_name: str, server_name: str = "") -> Server:
    """Return a server as `get_server` does; a default server that was never started is a stopped one."""
    caller.require("read:servers", user=user_name, server=full_name(user_name, server_name))
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        server = None if user is None else await tx.servers.get(user.id, server_name)
    if server is not None:
        return ctx.activity.of_server(server)
    if user is None or server_name:
        raise NotFound
    return never_started(user)


async def find_server(ctx: HubContext, user_name: str, server_name: str = "") -> Server | None:
    """Return a server, for the hub's own use."""
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        return None if user is None else await tx.servers.get(user.id, server_name)


async def find_servers(ctx: HubContext, user: User) -> list[Server]:
    """Return all servers of a user that have a row, the default one first, for the hub's own use."""
    async with ctx.store.read() as tx:
        rows = await tx.servers.of_users([user.id])
    return list(map(ctx.activity.of_server, rows))


async def ask_to_start(
    ctx: HubContext,
    caller: Caller,
    user_name: str,
    server_name: str = "",
    options: Mapping[str, Any] | None = None,
    *,
    display_name: str = "",
) -> Server:
    """Record that a server is wanted and return its row; `options` None keeps the last ones.

    A named server that does not exist is created, and called by its name unless a `display_name` is given.

    May be repeated: while a start is pending, every caller gets the same one. Raises Invalid when the server
    runs already, is stopping or may not have this name, and for options that are not its owner's to choose;
    OverLimit when a limit of the deployer's refuses it.
    """
    caller.require("start:servers", user=user_name, server=full_name(user_name, server_name))
    if ctx.authenticator.refresh_pre_spawn:
        await require_fresh(ctx, caller, user_name)
    named_limit = await named_server_limit(ctx, caller) if server_name else 0
    options = await check_choice(ctx, user_name, server_name, options)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound
        server = await tx.servers.get(user.id, server_name)
        if server_name:
            require_named_servers(ctx)
        if server is None:
            server = await make_server(ctx, tx, user, server_name, named_limit)
            display_name = display_name or server_name
        else:
            admit_old_name(ctx, server_name)
        _refuse_start(server)
        wish = ask_start(server, ctx.clock.now())
        if wish.waiting and not server.waiting:
            await admit_start(ctx, tx)
        if wish is not server:
            wish = described(wish, display_name, options)
        saved = server if wish is server else await tx.servers.save(wish)
        if saved is not None:
            announce_change(tx, saved)
    ctx.activity.user(user.id, ctx.clock.now(), user.last_activity)
    if saved is None:
        return await ask_to_start(ctx, caller, user_name, server_name, options, display_name=display_name)
    return saved


async def ask_to_stop(
    ctx: HubContext, caller: Caller, user_name: str, server_name: str = "", *, remove: bool = False
) -> Server | None:
    """Record that a server should stop and return its row; None for a default server that never started.

    A pending start is cancelled. With `remove` a named server goes for good once it has stopped. May be
    repeated. Raises NotFound when there is no such server, Invalid for removing a default one and where there
    are no named servers.
    """
    caller.require("delete:servers", user=user_name, server=full_name(user_name, server_name))
    if ctx.authenticator.refresh_pre_stop:
        await require_fresh(ctx, caller, user_name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound
        server = await tx.servers.get(user.id, server_name)
    if server_name:
        require_named_servers(ctx)
    elif remove:
        raise Invalid("Cannot delete the default server")
    if server is None:
        if server_name:
            raise NotFound(f"{user_name} has no server named '{shortened(server_name)}'")
        return None
    return await change(ctx, server.id, partial(ask_stop, delete=remove), durable=True)


async def stop_own_servers(ctx: HubContext, caller: Caller) -> None:
    """Record that all servers of the caller that run should stop; those that start or stop are left alone."""
    for server in await find_servers(ctx, caller.user):
        if server.ready:
            await change(ctx, server.id, ask_stop, durable=True)


async def change(
    ctx: HubContext,
    server_id: int,
    decide: Callable[[Server], Server],
    *,
    also: Callable[[Transaction], Awaitable[object]] | None = None,
    durable: bool = False,
) -> Server | None:
    """Write what `decide` makes of a server's row, starting over when somebody else was first.

    Returns the row as it then is, or None when it is gone. `decide` may run several times; returning its
    argument writes nothing. `also` belongs to the same transaction and runs only where the row was written.
    """
    for _ in range(_ATTEMPTS):
        try:
            async with ctx.store.write(durable=durable) as tx:
                server = await tx.servers.get_by_id(server_id)
                if server is None:
                    return None
                changed = decide(server)
                if changed is server:
                    return server
                saved = await tx.servers.save(changed)
                if saved is not None:
                    announce_change(tx, saved)
                    if also is not None:
                        await also(tx)
        except StorageContended:
            continue
        if saved is not None:
            return saved
    raise Conflict("The server is being changed by others; try again.")


async def wait_until_settled(ctx: HubContext, server: Server, timeout: float) -> Server | None:
    """Return the row once nothing is pending, or as it is after `timeout` seconds; None when gone.

    Of one that is to be removed nothing is pending when it is gone.
    """
    current: Server | None = server
    with ctx.bus.watch(ServerChanged, server_id=server.id) as watch:
        try:
            async with asyncio.timeout(timeout):
                while True:
                    current = await reload_server(ctx, server.id)
                    if current is None or (current.pending is None and not current.leaving):
                        return current
                    await watch.next_within(_patience(ctx))
        except TimeoutError:
            return current


async def watch_start(ctx: HubContext, server: Server) -> AsyncIterator[ServerProgress]:
    """Yield the steps of a server's current start, from its first to its outcome."""
    with ctx.bus.watch(ServerProgress, ServerChanged, server_id=server.id) as watch:
        current = await reload_server(ctx, server.id)
        if current is None:
            return
        generation, told, where = max(current.generation, current.wanted_generation), 0, ""
        last: ServerProgress | None = None
        while True:
            over = current is None or _is_over(current)
            steps = ctx.progress.of(server.id, generation)
            # Where it stands in a queue takes the place of where it stood.
            told = told - 1 if steps and told == len(steps) and steps[-1] != last else told
            for step in steps[told:]:
                told, last = told + 1, step
                if not (step.ready or step.failed):
                    yield step
            if over:
                yield outcome(ctx, server if current is None else current)
                return
            waiting = current is not None and current.waiting
            event = await watch.next_within(_LINE_INTERVAL if waiting else _patience(ctx))
            if event is None and current is not None and waiting:
                place = await standing(ctx, current)
                before, where = where, waiting_text(place)
                if place is not None and where not in ("", before):
                    yield ServerProgress(server.id, generation, 0, where, ahead=place.ahead)
            if not isinstance(event, ServerProgress):
                current = await reload_server(ctx, server.id)


def _patience(ctx: HubContext) -> float | None:
    return None if ctx.store.single_hub else _PATIENCE


def _is_over(server: Server) -> bool:
    """Tell whether a start has come to its end; one that failed, when it has been cleaned up.

    Where cleaning up fails and is tried again and again, nobody waits for it.
    """
    if server.pending == "stop":
        return server.failure is None or server.lease is None
    return server.pending is None


def outcome(ctx: HubContext, server: Server) -> ServerProgress:
    """Return the last step of a start: that it is ready, or why it failed."""
    if server.ready:
        return ServerProgress(
            server.id, server.generation, 100, f"Server ready at {server_path(ctx, server)}", ready=True
        )
    message = server.failure.message if server.failure else "The server has stopped."
    return ServerProgress(server.id, server.generation, 100, message, failed=True, failure=server.failure)


def server_path(ctx: HubContext, server: Server) -> str:
    """Return the path below which the server's pages are, with slashes at both ends."""
    return server_prefix(ctx.settings.base_url, server.user_name, server.name)


def announce_change(tx: Transaction, server: Server) -> None:
    """Tell every hub that a server's row was written, once it is."""
    tx.announce(ServerChanged(server.id, server.user_name, server.name))


async def make_server(ctx: HubContext, tx: Transaction, user: User, server_name: str, limit: int) -> Server:
    """Return a new server, or the one that another hub has made at the same moment.

    Raises Invalid for a name that cannot be, and when the user has `limit` named servers already.
    """
    if server_name:
        await admit_name(tx, user, server_name, limit)
    try:
        return await tx.servers.create(user.id, server_name, now=ctx.clock.now())
    except Conflict:
        found = await tx.servers.get(user.id, server_name)
        if found is None:
            raise
        return found


def described(server: Server, display_name: str, options: Mapping[str, Any] | None) -> Server:
    """Return `server` with what is given: what a named one is called on pages, and its options."""
    if display_name and server.name:
        server = replace(server, display_name=check_display_name(display_name))
    return server if options is None else replace(server, user_options=dict(options))


def _refuse_start(server: Server) -> None:
    label = server_label(server.user_name, server.name)
    if server.ready:
        raise Invalid(f"{label} is already running")
    if server.wanted is Wanted.DELETED:
        raise Invalid(f"{label} is being deleted")
    if server.actual is Actual.STOPPING or server.pending == "stop":
        raise Invalid(f"{label} is pending stop")


async def _find(tx: Transaction, user_name: str, server_name: str) -> Server:
    user = await tx.users.get(user_name)
    server = None if user is None else await tx.servers.get(user.id, server_name)
    if server is None:
        raise NotFound
    return server


async def reload_server(ctx: HubContext, server_id: int) -> Server | None:
    """Return a server's row as it is now, or None when it is gone."""
    async with ctx.store.read() as tx:
        return await tx.servers.get_by_id(server_id)
