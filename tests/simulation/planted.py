"""Faults put into the hub on purpose: what the simulation is worth is whether it finds them.

Each is one that a developer could make, planted by replacing a function of the hub for the time of a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from carrel.core import server_records, servers
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.routes import wanted_routes
from carrel.core.runs import build_driver, load_owner
from carrel.domain import transitions
from carrel.domain.errors import NotFound
from carrel.domain.servers import Actual, Server
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lifecycle import devices, drive, poll, routes, stop, turns
from carrel.lifecycle.drive import Life
from carrel.lifecycle.evidence import Course
from carrel.lifecycle.finder import Finder
from carrel.lifecycle.hearing import Hearing
from carrel.lifecycle.lease import LeaseLost, Leases
from carrel.lifecycle.orphans import OrphanKeeper
from carrel.lifecycle.patience import Patience
from carrel.lifecycle.routes import RouteKeeper
from carrel.lifecycle.start import Starter
from carrel.lifecycle.sweep import Sweep
from carrel.spawners.base import Spawner
from carrel.storage.base import Transaction
from carrel.storage.sql.devices import SqlDevices
from carrel.storage.sql.servers import SqlServers
from tests.simulation import people

Patch = tuple[Any, str, Any]


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Run the block with a fault in the hub; an empty name plants nothing."""
    with ExitStack() as stack:
        for place, attribute, fault in FAULTS[name] if name else ():
            stack.enter_context(mock.patch.object(place, attribute, fault))
        yield


async def _nothing(*_args: Any) -> None:
    """Do nothing."""


async def _no(*_args: Any) -> bool:
    return False


async def _yes(*_args: Any) -> bool:
    return True


async def _nobody(*_args: Any) -> list[Server]:
    return []


def _take_without_deadline(self: Leases, row: Server, deadline: Timestamp) -> Server:
    return replace(_TAKE(self, row, deadline), deadline=None)


def _take_generously(self: Leases, row: Server, deadline: Timestamp) -> Server:
    return _TAKE(self, row, deadline + (60 if row.actual is Actual.STARTING else 0))


def _held_for_ever(server: Server, _now: Timestamp, owner: str) -> bool:
    return server.lease is not None and server.lease.owner != owner


async def _stop_unawaited(driver: Spawner, *, now: bool, limit: float) -> None:
    work = asyncio.create_task(_STOP(driver, now=now, limit=limit))
    work.add_done_callback(lambda done: done.cancelled() or done.exception())


async def _start_before_intent(self: Starter, server: Server) -> None:
    try:
        owner = await load_owner(self.ctx, server)
    except NotFound:
        return
    early = build_driver(self.ctx, replace(server, generation=server.wanted_generation), owner)
    url = await drive.start(
        early, (), _nothing, Course(), Patience(early, self.ctx.clock, server), late=lambda _: None
    )
    begun = await self._begin(server)
    if begun is not None:
        row, driver, _ = begun
        driver.load_state(early.get_state())
        await self.finish(await self.checkpoint(row, driver, early.get_state(), url), driver)


async def _write_unfenced(
    self: Leases,
    server: Server,
    decide: Callable[[Server], Server],
    also: Callable[[Transaction], Awaitable[object]] | None,
) -> Server:
    saved = await servers.change(self._ctx, server.id, decide, also=also, durable=also is not None)
    if saved is None:
        raise LeaseLost
    return saved


async def _save_blindly(self: SqlServers, server: Server) -> Server | None:
    current = await self.get_by_id(server.id)
    return None if current is None else await _SAVE(self, replace(server, version=current.version))


async def _poll_in_doubt_dead(driver: Spawner) -> tuple[Life, int | None]:
    life, status = await _POLL(driver)
    return (Life.DEAD, 1) if life is Life.UNKNOWN else (life, status)


def _keep_rights(_row: Server) -> Callable[[Transaction], Awaitable[None]]:
    async def keep(_tx: Transaction) -> None:
        """Leave the tokens where they are."""

    return keep


async def _put_as_if_alone(self: RouteKeeper, without: str) -> None:
    table = await wanted_routes(self._ctx) | self._ahead
    table.pop(without, None)
    await self._ctx.proxy.put_routes(table)


async def _repair_by_rows_alone(ctx: HubContext, _caller: Caller) -> None:
    await ctx.proxy.put_routes(await wanted_routes(ctx))


def _listen_only(self: Hearing) -> None:
    self._hears = True


_TAKE, _STOP, _SAVE, _POLL = Leases.take, drive.stop, SqlServers.save, drive.poll


async def _whatever_it_does(tx: Transaction, user: User, server_name: str) -> Server:
    server = await tx.servers.get(user.id, server_name)
    if server is None:
        raise NotFound
    return server


FAULTS: dict[str, tuple[Patch, ...]] = {
    "checkpoint skipped": ((Spawner, "save_state", _nothing),),
    "deadline only in the coroutine": ((Leases, "take", _take_without_deadline),),
    "wishes not polled": ((Sweep, "once", _nothing),),
    "stop not awaited": ((drive, "stop", _stop_unawaited),),
    "commit after start": ((Starter, "start", _start_before_intent),),
    "routes not repaired": ((routes, "_SYNC_EVERY", 10**9), (RouteKeeper, "nudge", lambda _self: None)),
    "wish lost": ((SqlServers, "save", _save_blindly),),
    "recovery starts the clock again": ((Leases, "take", _take_generously),),
    "orphans not swept": ((OrphanKeeper, "look", _nothing),),
    "nothing is taken over": ((Finder, "take_over", _no),),
    "unknown is dead": ((drive, "poll", _poll_in_doubt_dead),),
    "token outlives its server": tuple((place, "drop_rights", _keep_rights) for place in (stop, poll)),
    "repair by rows alone": ((people, "repair", _repair_by_rows_alone),),
    "renamed while it runs": ((server_records, "_at_rest", _whatever_it_does),),
    "devices without a lease": ((SqlDevices, "lease", _yes),),
    "nobody gets a device that was waited for": ((devices, "whose_turn", _nobody),),
    "writes not fenced": ((Leases, "_write", _write_unfenced),),
    "leases never end": ((transitions, "_held_by_another", _held_for_ever),),
    "leases not looked at": ((Leases, "check", lambda _self, _row: None),),
    "routes set as if alone": ((RouteKeeper, "_mend", _put_as_if_alone),),
    "missed events not made up for": (
        (Hearing, "listening", _listen_only),
        (servers, "_patience", lambda _ctx: None),
    ),
    "machine forgotten": tuple(
        (place, "is_elsewhere", lambda _server, _node: False) for place in (transitions, turns)
    ),
}
#: Those that take more than one hub to do harm.
OF_SEVERAL_HUBS = tuple(FAULTS)[-6:]


def hubs_for(name: str) -> int:
    """Return how many hubs it takes to find a planted fault."""
    return 3 if name in OF_SEVERAL_HUBS else 1
