"""Who works on a server: a lease in its row, fenced by the version at which it was taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from carrel.core.context import HubContext
from carrel.core.servers import change
from carrel.domain.servers import Lease, Server
from carrel.lib.clock import Timestamp
from carrel.storage.base import Transaction

#: How long a lease outlives the deadline of the work it covers, in seconds.
GRACE = 5.0


class LeaseLost(Exception):
    """Somebody else works on the server now; leave it alone."""


def take(server: Server, owner: str, deadline: Timestamp) -> Server:
    """Return `server` with a lease for `owner`; writing it gives the row exactly the fence's version."""
    return replace(server, lease=Lease(owner, deadline + GRACE, server.version + 1), deadline=deadline)


def extend(server: Server, deadline: Timestamp) -> Server:
    """Return `server` with more time for whoever holds its lease."""
    held = None if server.lease is None else replace(server.lease, expires=deadline + GRACE)
    return replace(server, lease=held, deadline=deadline)


async def write(
    ctx: HubContext,
    server: Server,
    decide: Callable[[Server], Server],
    also: Callable[[Transaction], Awaitable[object]] | None = None,
) -> Server:
    """Write what `decide` makes of the row while the lease in `server` holds; raise LeaseLost otherwise.

    `also` belongs to the same transaction.
    """
    lease = server.lease

    def fenced(row: Server) -> Server:
        if lease is None or row.lease is None or row.lease.fence != lease.fence:
            raise LeaseLost
        return decide(row)

    saved = await change(ctx, server.id, fenced, also=also, durable=also is not None)
    if saved is None:
        raise LeaseLost
    return saved


async def release(ctx: HubContext, server: Server) -> None:
    """Give the lease up with the work unfinished, so that the next look recovers it."""
    try:
        await write(ctx, server, lambda row: replace(row, lease=None))
    except LeaseLost:
        return
