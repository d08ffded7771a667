"""Where a start stands that has to wait: in the hub's own line, or in the queue of its back end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carrel.core.context import HubContext
from carrel.domain.servers import Actual, Server
from carrel.lib.clock import Timestamp
from carrel.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class Standing:
    """How long a start will have to wait."""

    ahead: int | None
    """How many are before it; None is unknown."""
    expected: Timestamp | None = None
    """When it is expected to begin, if anybody knows."""


async def standings(ctx: HubContext, tx: Transaction, servers: Sequence[Server]) -> Mapping[int, Standing]:
    """Return where the starts stand that wait, by server id; one query, and none where no line is."""
    waiting = [server.id for server in servers if server.waiting]
    ahead = await tx.servers.positions(waiting) if waiting else {}
    found = {server_id: Standing(count) for server_id, count in ahead.items()}
    for server in servers:
        queued = in_queue(ctx, server)
        if queued is not None:
            found[server.id] = queued
    return found


async def standing(ctx: HubContext, server: Server) -> Standing | None:
    """Return where the start of a server stands, None when it does not wait."""
    if not server.waiting:
        return in_queue(ctx, server)
    async with ctx.store.read() as tx:
        return (await standings(ctx, tx, [server])).get(server.id)


def in_queue(ctx: HubContext, server: Server) -> Standing | None:
    """Return where a start stands in the queue of its back end, None when it is in none."""
    step = ctx.progress.standing(server.id, server.generation) if server.actual is Actual.STARTING else None
    return None if step is None else Standing(step.ahead, step.expected)
