"""Several hubs on one database, in one process: each with a store of its own that can be cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from carrel.core.live import LiveDrivers
from carrel.lifecycle.reconciler import Reconciler
from carrel.lifecycle.routes import RouteKeeper
from carrel.storage.base import StorageError, Transaction
from carrel.testing.hub import TrialHub
from carrel.testing.mortal import MortalStore


class SharedStore:
    """A database that several hubs may use, as one of them sees it."""

    single_hub = False

    def __init__(self, store: MortalStore) -> None:
        self._store = store
        self.cut_off = False
        self.writes = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """See `Store`."""
        self._check()
        async with self._store.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self, *, durable: bool = False) -> AsyncIterator[Transaction]:
        """See `Store`."""
        self._check()
        async with self._store.write(durable=durable) as tx:
            yield tx
            self._check()
        self.writes += 1

    def _check(self) -> None:
        if self.cut_off:
            raise StorageError("The database does not answer.")


class Peer:
    """One of several hubs."""

    def __init__(self, hub: TrialHub, owner: str) -> None:
        self.store = SharedStore(hub.store)
        self.ctx = replace(hub.ctx, store=self.store, live=LiveDrivers())  # type: ignore[arg-type]
        self.routes = RouteKeeper(self.ctx)
        self.reconciler = Reconciler(self.ctx, hub.probe, self.routes, owner)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Work."""
        self.ctx.bus.listen(self.reconciler.heed)
        self._task = asyncio.create_task(self.reconciler.run())

    async def close(self) -> None:
        """Stop working."""
        self.ctx.bus.unlisten(self.reconciler.heed)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
