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

from carrel.core import servers
from carrel.core.context import HubContext
from carrel.core.drivers import build_driver, load_user
from carrel.domain.servers import Server
from carrel.lib.clock import Timestamp
from carrel.lifecycle import drive, lease, poll, routes, start, stop
from carrel.lifecycle.drive import Life
from carrel.lifecycle.reconciler import Reconciler
from carrel.lifecycle.start import Starter
from carrel.spawners.base import Spawner
from carrel.storage.base import Transaction
from carrel.storage.sql.servers import SqlServers
from tests.simulation import hubs
from tests.simulation.plan import Profile

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


async def _forever(*_args: Any) -> None:
    await asyncio.Event().wait()


def _take_without_deadline(server: Server, owner: str, deadline: Timestamp) -> Server:
    return replace(_TAKE(server, owner, deadline), deadline=None)


class _GenerousLease:
    """Gives whoever takes a start over a minute more than it had."""

    LeaseLost = lease.LeaseLost

    @staticmethod
    def take(server: Server, owner: str, deadline: Timestamp) -> Server:
        return lease.take(server, owner, deadline + 60)


async def _stop_unawaited(driver: Spawner, *, now: bool, limit: float) -> None:
    work = asyncio.create_task(_STOP(driver, now=now, limit=limit))
    work.add_done_callback(lambda done: done.cancelled() or done.exception())


async def _start_before_intent(self: Starter, server: Server) -> None:
    early = replace(server, generation=server.wanted_generation)
    driver = build_driver(self.ctx, early, await load_user(self.ctx, server))
    url = await drive.start(driver)
    begun = await self._begin(server)
    if begun is not None:
        row, _ = begun
        await self.finish(await self.checkpoint(row, driver.get_state(), url), driver)


async def _write_unfenced(
    ctx: HubContext,
    server: Server,
    decide: Callable[[Server], Server],
    also: Callable[[Transaction], Awaitable[object]] | None = None,
) -> Server:
    saved = await servers.change(ctx, server.id, decide, also=also, durable=also is not None)
    if saved is None:
        raise lease.LeaseLost
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


_TAKE, _STOP, _SAVE, _POLL = lease.take, drive.stop, SqlServers.save, drive.poll

FAULTS: dict[str, tuple[Patch, ...]] = {
    "checkpoint skipped": ((Spawner, "save_state", _nothing),),
    "deadline only in the coroutine": ((lease, "take", _take_without_deadline),),
    "wishes not polled": ((Reconciler, "_queue_work", _nothing),),
    "stop not awaited": ((drive, "stop", _stop_unawaited),),
    "commit after start": ((Starter, "start", _start_before_intent),),
    "lease not fenced": ((lease, "write", _write_unfenced),),
    "routes not repaired": ((routes, "_SYNC_EVERY", 10**9),),
    "wish lost": ((SqlServers, "save", _save_blindly),),
    "recovery starts the clock again": ((poll, "lease", _GenerousLease),),
    "orphans not swept": ((hubs, "sweep_orphans", _forever),),
    "start not recalled": ((drive, "recall", _nothing),),
    "unknown is dead": ((drive, "poll", _poll_in_doubt_dead),),
    "token outlives its server": tuple((place, "drop_rights", _keep_rights) for place in (start, stop, poll)),
    "nobody looks again": ((servers, "_LOOK_AGAIN", 1e9),),
}
#: Those that take more than one hub to do harm.
OF_SEVERAL_HUBS = ("lease not fenced",)


def profile_for(name: str) -> Profile:
    """Return the scene in which a planted fault can be found."""
    return Profile(hubs=2 if name in OF_SEVERAL_HUBS else 1)
