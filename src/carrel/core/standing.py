"""Where a start stands that has to wait: in a line of the hub's own, or in the queue of its back end.

And which devices a run has: who waits for one wants to know, and so does who has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from carrel.core.context import HubContext
from carrel.domain.devices import Devices, standing_of, title_of
from carrel.domain.servers import Actual, Server
from carrel.lib.clock import Timestamp
from carrel.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class Standing:
    """How long a start will have to wait, or what a run has that others may wait for."""

    ahead: int | None = None
    """How many are before it; None is unknown."""
    expected: Timestamp | None = None
    """When it is expected to begin, if anybody knows."""
    waits_for: Sequence[str] = ()
    """The kinds of devices that it waits for."""
    devices: Devices = field(default_factory=dict)
    """Those that the run has."""


async def standings(ctx: HubContext, tx: Transaction, servers: Sequence[Server]) -> Mapping[int, Standing]:
    """Return where the starts stand that wait, and the devices of runs, by server id.

    Two queries at most, one more on a hub with devices, and none where no line is.
    """
    waiting = [server.id for server in servers if server.waiting]
    found = await _in_line(tx, waiting) if waiting else {}
    for server in servers:
        if server.pending is not None and (queued := in_queue(ctx, server)) is not None:
            found[server.id] = queued
    active = [server.id for server in servers if server.active] if ctx.settings.device_pools else []
    for server_id, devices in (await tx.devices.of_servers(active)).items() if active else ():
        found[server_id] = replace(found.get(server_id, Standing()), devices=devices)
    return found


async def _in_line(tx: Transaction, waiting: Sequence[int]) -> dict[int, Standing]:
    ahead = await tx.servers.positions(waiting)
    found = {server_id: Standing(count) for server_id, count in ahead.items()}
    if len(found) < len(waiting):
        waits = await tx.devices.waits()
        for server_id in waiting:
            place = standing_of(waits, server_id)
            if place is not None:
                found[server_id] = Standing(place.ahead, waits_for=place.kinds)
    return found


def waiting_text(standing: Standing | None) -> str:
    """Say how long the line before a start is; empty where it is in none, or next for its turn."""
    if standing is None or standing.ahead is None:
        return ""
    ahead = standing.ahead
    if standing.waits_for:
        before = f"{ahead} ahead" if ahead else "next in line"
        return f"Waiting for {' and '.join(map(title_of, standing.waits_for))}: {before}"
    if not ahead:
        return ""
    return f"Waiting: {ahead} starts are ahead" if ahead != 1 else "Waiting: one start is ahead"


async def standing(ctx: HubContext, server: Server) -> Standing | None:
    """Return where the start of a server stands and what its run has, None when there is nothing to say."""
    if not server.waiting and not ctx.settings.device_pools:
        return in_queue(ctx, server)
    async with ctx.store.read() as tx:
        if ctx.settings.device_pools:
            return (await standings(ctx, tx, [server])).get(server.id)
        # Asked every second by everybody who watches a start: cheaper than a look at the whole line.
        return Standing(await tx.servers.count_due_before(server))


async def device_notes(ctx: HubContext, servers: Sequence[Server]) -> Mapping[int, str]:
    """Return what pages say of devices, by server id: what a run has, or the line that a start is in."""
    if not ctx.settings.device_pools:
        return {}
    async with ctx.store.read() as tx:
        found = await standings(ctx, tx, servers)
    return {
        server_id: waiting_text(place) or devices_text(place.devices) for server_id, place in found.items()
    }


def devices_text(devices: Devices) -> str:
    """Say which devices a run has, empty for none."""
    return "; ".join(f"{title_of(kind)}: {', '.join(names)}" for kind, names in sorted(devices.items()))


def in_queue(ctx: HubContext, server: Server) -> Standing | None:
    """Return where a start stands in the queue of its back end, None when it is in none."""
    step = ctx.progress.standing(server.id, server.generation) if server.actual is Actual.STARTING else None
    return None if step is None else Standing(step.ahead, step.expected)
