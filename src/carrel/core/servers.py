"""Asking for servers: faces write the wish here, and wait for the reconciler to make it true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Conflict, Invalid, NotFound
from carrel.domain.events import ServerChanged, ServerProgress
from carrel.domain.names import full_name, server_prefix
from carrel.domain.servers import Actual, Server, Wanted, never_started
from carrel.domain.transitions import ask_start, ask_stop
from carrel.storage.base import Transaction

_ATTEMPTS = 10


async def get_server(ctx: HubContext, caller: Caller, user_name: str, server_name: str = "") -> Server:
    """Return a server; raise NotFound when there is none or the caller may not see it."""
    caller.require("read:servers", user=user_name, server=full_name(user_name, server_name))
    async with ctx.store.read() as tx:
        return await _find(tx, user_name, server_name)


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


async def ask_to_start(
    ctx: HubContext,
    caller: Caller,
    user_name: str,
    server_name: str = "",
    options: Mapping[str, Any] | None = None,
) -> Server:
    """Record that a server is wanted and return its row; `options` None keeps the last ones.

    May be repeated: while a start is pending, every caller gets the same one. Raises Invalid when the server
    runs already or is stopping.
    """
    caller.require("start:servers", user=user_name, server=full_name(user_name, server_name))
    if server_name:
        raise Invalid("Named servers are not enabled.")
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound
        server = await tx.servers.get(user.id, server_name)
        if server is None:
            server = await tx.servers.create(user.id, server_name, now=ctx.clock.now())
        _refuse_start(server)
        wish = ask_start(server, ctx.clock.now())
        if options is not None and wish is not server:
            wish = replace(wish, user_options=dict(options))
        saved = server if wish is server else await tx.servers.save(wish)
        if saved is not None:
            announce_change(tx, saved)
    ctx.activity.user(user.id, ctx.clock.now(), user.last_activity)
    if saved is None:
        return await ask_to_start(ctx, caller, user_name, server_name, options)
    return saved


async def ask_to_stop(
    ctx: HubContext, caller: Caller, user_name: str, server_name: str = ""
) -> Server | None:
    """Record that a server should stop and return its row, or None when the user has no such server.

    A pending start is cancelled. May be repeated.
    """
    caller.require("delete:servers", user=user_name, server=full_name(user_name, server_name))
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound
        server = await tx.servers.get(user.id, server_name)
    return None if server is None else await change(ctx, server.id, ask_stop, durable=True)


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
        if saved is not None:
            return saved
    raise Conflict("The server is being changed by others; try again.")


async def wait_until_settled(ctx: HubContext, server: Server, timeout: float) -> Server | None:
    """Return the row once nothing is pending, or as it is after `timeout` seconds; None when gone."""
    current: Server | None = server
    with ctx.bus.watch(ServerChanged, server_id=server.id) as watch:
        try:
            async with asyncio.timeout(timeout):
                while True:
                    current = await reload_server(ctx, server.id)
                    if current is None or current.pending is None:
                        return current
                    await watch.next()
        except TimeoutError:
            return current


async def watch_start(ctx: HubContext, server: Server) -> AsyncIterator[ServerProgress]:
    """Yield the steps of a server's current start, from its first to its outcome."""
    with ctx.bus.watch(ServerProgress, ServerChanged, server_id=server.id) as watch:
        current = await reload_server(ctx, server.id)
        if current is None:
            return
        generation, told = max(current.generation, current.wanted_generation), 0
        while True:
            over = current is None or current.pending != "spawn"
            for step in ctx.progress.of(server.id, generation)[told:]:
                told += 1
                if not (step.ready or step.failed):
                    yield step
            if over:
                yield outcome(ctx, server if current is None else current)
                return
            if isinstance(await watch.next(), ServerChanged):
                current = await reload_server(ctx, server.id)


def outcome(ctx: HubContext, server: Server) -> ServerProgress:
    """Return the last step of a start: that it is ready, or why it failed."""
    if server.ready:
        return ServerProgress(
            server.id, server.generation, 100, f"Server ready at {server_path(ctx, server)}", ready=True
        )
    message = server.failure.message if server.failure else "The server has stopped."
    return ServerProgress(server.id, server.generation, 100, message, failed=True)


def server_path(ctx: HubContext, server: Server) -> str:
    """Return the path below which the server's pages are, with slashes at both ends."""
    return server_prefix(ctx.settings.base_url, server.user_name, server.name)


def announce_change(tx: Transaction, server: Server) -> None:
    """Tell every hub that a server's row was written, once it is."""
    tx.announce(ServerChanged(server.id, server.user_name, server.name))


def _refuse_start(server: Server) -> None:
    label = full_name(server.user_name, server.name).rstrip("/")
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
