"""The worker that makes every server what its row wants it to be.

One loop takes server ids from a queue, reads the row, asks `next_action` and runs the answer as a task, one
task per server. Ids get into the queue from events, from timers and from a sweep over all unsettled rows, so
that a lost event delays work and never loses it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from carrel.core.context import HubContext
from carrel.core.servers import reload_server
from carrel.domain.events import Event, ServerChanged
from carrel.domain.servers import Server
from carrel.domain.transitions import Action, next_action
from carrel.lib.workqueue import WorkQueue
from carrel.lifecycle import lease
from carrel.lifecycle.poll import Poller
from carrel.lifecycle.readiness import Probe
from carrel.lifecycle.routes import RouteKeeper
from carrel.lifecycle.start import Starter
from carrel.lifecycle.stop import Stopper

_SWEEP_INTERVAL = 5.0
_RETRY_AFTER = 5.0
_log = logging.getLogger("carrel.lifecycle")

#: One step of a server's life, not begun: a task that is cancelled before it starts leaves nothing behind.
Work = Callable[[], Coroutine[Any, Any, None]]


class Reconciler:
    """Runs the life of servers for one hub process; `owner` names the process in leases."""

    def __init__(self, ctx: HubContext, probe: Probe, routes: RouteKeeper, owner: str) -> None:
        self._ctx = ctx
        self._owner = owner
        self._starter = Starter(ctx, routes, probe, owner)
        self._stopper = Stopper(ctx, routes, owner)
        self._poller = Poller(ctx, self._starter, owner)
        self._queue: WorkQueue[int] = WorkQueue()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._interrupted: set[int] = set()
        self._polling: set[int] = set()
        self._poll_due: dict[int, float] = {}
        limit = ctx.settings.concurrent_spawn_limit
        self._starts = asyncio.Semaphore(limit if limit > 0 else 1_000_000)

    def heed(self, event: Event) -> None:
        """Look at a server whose row was written; give this to the bus."""
        if isinstance(event, ServerChanged):
            self._queue.add(event.server_id)

    async def run(self) -> None:
        """Work until cancelled. Tasks under way are dropped then: their leases say what they were doing."""
        sweeper = asyncio.create_task(self._sweep(), name="sweep of unsettled servers")
        try:
            while True:
                await self._look_safely(await self._queue.get())
        finally:
            sweeper.cancel()
            for task in (*self._tasks.values(),):
                task.cancel()
            await asyncio.gather(sweeper, *self._tasks.values(), return_exceptions=True)

    async def _look_safely(self, server_id: int) -> None:
        try:
            await self._look(server_id)
        except Exception:
            _log.exception("Server %d could not be looked at; trying again", server_id)
            self._queue.add(server_id, delay=_RETRY_AFTER)

    async def _look(self, server_id: int) -> None:
        server = await reload_server(self._ctx, server_id)
        if server is None:
            self._poll_due.pop(server_id, None)
            return
        action = next_action(server, self._ctx.clock.now(), self._owner)
        task = self._tasks.get(server_id)
        if task is not None:
            if self._is_outdated(server_id, action) and server_id not in self._interrupted:
                self._interrupted.add(server_id)
                task.cancel()
            return
        if action is Action.POLL and not self._is_poll_due(server_id):
            self._wait_for_poll(server_id)
            return
        work = self._work(action, server)
        if work is not None:
            task = asyncio.create_task(self._do(server, work), name=f"{action} of server {server_id}")
            self._tasks[server_id] = task
            task.add_done_callback(lambda done: self._done(server_id, done))

    def _is_outdated(self, server_id: int, action: Action) -> bool:
        """Tell whether the task that runs for a server stands in the way of `action`."""
        if action is Action.STOP:
            return server_id in self._polling
        return action in (Action.CANCEL, Action.ABORT)

    def _work(self, action: Action, server: Server) -> Work | None:
        match action:
            case Action.NONE:
                return None
            case Action.START:
                return partial(self._start, server)
            case Action.RECOVER:
                return partial(self._poller.recover, server)
            case Action.ABORT:
                return partial(self._poller.abort, server)
            case Action.POLL:
                return partial(self._poll, server)
            case Action.STOP | Action.CANCEL:
                return partial(self._stopper.stop, server)
            case Action.FORCE:
                return partial(self._stopper.stop, server, force=True)
            case Action.DELETE:
                return partial(self._delete, server)

    def _done(self, server_id: int, task: asyncio.Task[None]) -> None:
        self._tasks.pop(server_id, None)
        self._interrupted.discard(server_id)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._queue.add(server_id)
            return
        _log.error("Work on server %d failed (%s); trying again", server_id, task.get_name(), exc_info=error)
        self._queue.add(server_id, delay=_RETRY_AFTER)

    async def _do(self, server: Server, work: Work) -> None:
        """Run one step; when it breaks off, give the lease up so that the next look recovers the server."""
        try:
            await work()
        except lease.LeaseLost:
            return
        except BaseException:
            await self._give_up(server.id)
            raise

    async def _start(self, server: Server) -> None:
        async with self._starts:
            row = await reload_server(self._ctx, server.id)
            if row is not None and next_action(row, self._ctx.clock.now(), self._owner) is Action.START:
                self._poll_due.pop(row.id, None)
                await self._starter.start(row)

    async def _give_up(self, server_id: int) -> None:
        row = await reload_server(self._ctx, server_id)
        if row is not None and row.lease is not None and row.lease.owner == self._owner:
            await lease.release(self._ctx, row)

    async def _poll(self, server: Server) -> None:
        self._polling.add(server.id)
        try:
            pause = await self._poller.poll(server)
        finally:
            self._polling.discard(server.id)
        self._poll_due[server.id] = asyncio.get_running_loop().time() + pause

    def _is_poll_due(self, server_id: int) -> bool:
        return asyncio.get_running_loop().time() >= self._poll_due.get(server_id, 0.0)

    def _wait_for_poll(self, server_id: int) -> None:
        self._queue.add(server_id, delay=self._poll_due[server_id] - asyncio.get_running_loop().time())

    async def _delete(self, server: Server) -> None:
        async with self._ctx.store.write(durable=True) as tx:
            await tx.servers.delete(server)
        self._ctx.progress.forget(server.id)

    async def _sweep(self) -> None:
        voided = False
        while True:
            try:
                if not voided:
                    await self._void_old_leases()
                    voided = True
                await self._queue_work()
            except Exception:
                _log.exception("The servers could not be looked through; trying again")
            await asyncio.sleep(_SWEEP_INTERVAL)

    async def _queue_work(self) -> None:
        async with self._ctx.store.read() as tx:
            unsettled, running = await tx.servers.unsettled(), await tx.servers.routed()
        for server in unsettled:
            self._queue.add(server.id)
        for server in running:
            if self._is_poll_due(server.id):
                self._queue.add(server.id)

    async def _void_old_leases(self) -> None:
        """Where only one hub may use the database, whoever held a lease before is dead."""
        if not self._ctx.store.single_hub:
            return
        async with self._ctx.store.read() as tx:
            unsettled = await tx.servers.unsettled()
        for server in unsettled:
            if server.lease is not None and server.lease.owner != self._owner:
                await lease.release(self._ctx, server)
