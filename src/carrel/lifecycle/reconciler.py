"""The worker that makes every server what its row wants it to be.

One loop takes server ids from a queue, reads the row, asks `next_action` and gives the answer to the desk,
which has one job for each server. Ids get into the queue from events, from timers and from a sweep: a lost
event delays work and never loses it. What fails is tried again after a pause that grows, its own alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from carrel.core.context import HubContext
from carrel.core.drivers import new_driver
from carrel.core.runs import load_owner
from carrel.core.servers import announce_change, reload_server, server_path
from carrel.domain.events import Event, EventsMissed, RightsChanged, ServerChanged
from carrel.domain.servers import Server
from carrel.domain.transitions import Action, next_action
from carrel.lib.backoff import Backoff
from carrel.lib.workqueue import WorkQueue
from carrel.lifecycle import drive
from carrel.lifecycle.breaker import Breaker
from carrel.lifecycle.desk import Desk
from carrel.lifecycle.finder import Finder
from carrel.lifecycle.lease import LeaseLost, Leases
from carrel.lifecycle.line import StartLine
from carrel.lifecycle.poll import Poller
from carrel.lifecycle.readiness import Probe
from carrel.lifecycle.routes import RouteKeeper
from carrel.lifecycle.start import Starter
from carrel.lifecycle.stop import Stopper
from carrel.lifecycle.sweep import Sweep
from carrel.lifecycle.turns import Turns
from carrel.lifecycle.undo import Undoer
from carrel.spawners.classes import UnknownSpawner
from carrel.storage.base import StorageUnavailable

_FIRST_RETRY, _LONGEST_RETRY = 1.0, 30.0
_LONGEST_LOOK_RETRY = 5.0
_POLLS_AT_ONCE = 50
_log = logging.getLogger("carrel.lifecycle")

#: One step of a server's life, not begun: a task that is cancelled before it starts leaves nothing behind.
Work = Callable[[], Coroutine[Any, Any, None]]


class Reconciler:
    """Runs the life of servers for one hub process; `owner` names the process in leases.

    `give_up` is called when more starts have failed in a row than `consecutive_failure_limit` allows.
    """

    def __init__(
        self,
        ctx: HubContext,
        probe: Probe,
        routes: RouteKeeper,
        owner: str,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._ctx = ctx
        self._turns = Turns(ctx.peers)
        self._leases = Leases(ctx, owner)
        self.finder = Finder(ctx)
        self._stopper = Stopper(ctx, routes, self._leases, self.finder)
        self._undoer = Undoer(ctx)
        self._starter = Starter(
            ctx,
            routes,
            probe,
            self._leases,
            self._stopper,
            Breaker(ctx.clock),
            give_up,
            self._step_aside,
            self._undoer,
        )
        self._poller = Poller(ctx, self._starter, self._leases, self.finder)
        self._queue: WorkQueue[int] = WorkQueue()
        self._desk = Desk(self._ended)
        self._backoff: Backoff[int] = Backoff(_FIRST_RETRY, _LONGEST_RETRY, ctx.chance)
        self._look_backoff: Backoff[int] = Backoff(_FIRST_RETRY, _LONGEST_LOOK_RETRY, ctx.chance)
        self._line = StartLine(ctx, self._starter, self._backoff, self._turns, self._begin_start)
        self._sweep = Sweep(ctx, self._leases, self._line, self._queue.add, self._is_poll_due)
        self._poll_due: dict[int, float] = {}
        self._polls = asyncio.Semaphore(_POLLS_AT_ONCE)

    def heed(self, event: Event) -> None:
        """Look at a server whose row was written; give this to the bus."""
        if isinstance(event, ServerChanged):
            self._queue.add(event.server_id)
        elif isinstance(event, EventsMissed):
            self._sweep.hurry()

    async def run(self) -> None:
        """Work until cancelled. Tasks under way are dropped then: their leases say what they were doing."""
        helpers = [
            asyncio.create_task(self._sweep.run(), name="sweep of servers"),
            asyncio.create_task(self._leases.run(), name="renewal of leases"),
            asyncio.create_task(self._line.run(), name="line of starts"),
        ]
        try:
            while True:
                await self._look_safely(await self._queue.get())
                # A long queue must not keep the rest of the hub from its turn.
                await asyncio.sleep(0)
        finally:
            for task in (*helpers, *self._undoer.tasks):
                task.cancel()
            await self._desk.clear()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _look_safely(self, server_id: int) -> None:
        try:
            await self._look(server_id)
            self._look_backoff.clear(server_id)
        except StorageUnavailable as error:
            _log.warning("Server %d cannot be looked at, trying again: %s", server_id, error)
            self._queue.add(server_id, delay=self._look_backoff.fail(server_id))
        except Exception:
            _log.exception("Server %d could not be looked at; trying again", server_id)
            self._queue.add(server_id, delay=self._look_backoff.fail(server_id))

    async def _look(self, server_id: int) -> None:
        server = await reload_server(self._ctx, server_id)
        if server is None:
            self._forget(server_id)
            return
        if not server.active:
            # What is read may be old by now, and its next run have begun.
            self._rests(server_id, server.generation)
        action = next_action(server, self._ctx.clock.now(), self._leases.owner)
        if self._desk.is_busy(server_id):
            self._look_at_job(server, action)
        elif server.lease is not None and server.lease.owner == self._leases.owner:
            # Nobody works on it here, so this hub must not keep others from doing so.
            await self._leases.release(server)
        else:
            self._act(server, action)

    def _look_at_job(self, server: Server, action: Action) -> None:
        """End the job that stands in the way of `action`, and look again when it has taken too long."""
        if self._desk.is_outdated(server.id, action):
            self._desk.interrupt(server.id)
        elif server.deadline is not None:
            left = server.deadline - self._ctx.clock.now()
            if left > 0:
                self._queue.add(server.id, delay=left)

    def _act(self, server: Server, action: Action) -> None:
        """Make `action` the job of a server that has none, or see to it that somebody looks again."""
        server_id = server.id
        if (pause := self._backoff.wait(server_id)) or (
            pause := self._turns.pause(server, action, self._ctx.clock.now())
        ) > 0:
            self._queue.add(server_id, delay=pause)
        elif action is Action.NONE:
            return
        elif action is Action.START:
            self._line.wake()
        elif action is Action.POLL and not self._is_poll_due(server_id):
            self._queue.add(server_id, delay=self._poll_due[server_id] - _loop_time())
        else:
            self._desk.begin(server_id, action, self._do(server, self._work(action, server)))

    def _work(self, action: Action, server: Server) -> Work:
        match action:
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
        raise AssertionError(f"{action} is no job")

    def _begin_start(self, server: Server) -> bool:
        """Make a start that is due a job, unless the server has one."""
        if self._desk.is_busy(server.id):
            return False
        self._poll_due.pop(server.id, None)
        self._desk.begin(server.id, Action.START, self._do(server, partial(self._starter.start, server)))
        return True

    def _step_aside(self, server_id: int) -> None:
        self._line.leave(server_id)

    def _ended(self, server_id: int, action: Action, error: BaseException | None) -> None:
        if action is Action.START:
            self._line.leave(server_id)
        if error is None:
            self._backoff.clear(server_id)
            self._queue.add(server_id)
            return
        pause = self._backoff.fail(server_id)
        if isinstance(error, StorageUnavailable):
            _log.warning("%s of server %d was cut off: %s", action.capitalize(), server_id, error)
            self._queue.add(server_id, delay=pause)
            return
        _log.error(
            "%s of server %d failed; trying again in %.1f seconds",
            action.capitalize(), server_id, pause, exc_info=error,
        )  # fmt: skip
        self._queue.add(server_id, delay=pause)

    async def _do(self, server: Server, work: Work) -> None:
        """Run one step; when it breaks off, give the lease up so that the next look recovers the server."""
        try:
            await work()
        except LeaseLost:
            return
        except BaseException:
            await self._give_up(server.id)
            raise

    async def _give_up(self, server_id: int) -> None:
        row = await reload_server(self._ctx, server_id)
        if row is not None and row.lease is not None and row.lease.owner == self._leases.owner:
            await self._leases.release(row)

    async def _poll(self, server: Server) -> None:
        async with self._polls:
            pause = await self._poller.poll(server)
        self._poll_due[server.id] = _loop_time() + pause

    def _is_poll_due(self, server_id: int) -> bool:
        return _loop_time() >= self._poll_due.get(server_id, 0.0)

    async def _delete(self, server: Server) -> None:
        """Remove a server and what it left, under a lease: what is removed late may be another server's."""

        def take(row: Server) -> Server:
            now = self._ctx.clock.now()
            if next_action(row, now, self._leases.owner) is not Action.DELETE:
                return row
            return self._leases.take(row, now + drive.CALL_LIMIT)

        row = await self._leases.acquire(server, take)
        if row is None:
            return
        try:
            driver = await new_driver(self._ctx, row, await load_owner(self._ctx, row))
        except UnknownSpawner as error:
            # Nothing runs, and nobody could remove what is left: that must not keep the row for ever.
            _log.error("What %s left behind is not removed: %s", server_path(self._ctx, row), error)
        else:
            await drive.hook(driver, "delete_forever", driver.delete_forever)
        async with self._ctx.store.write(durable=True) as tx:
            if await tx.servers.delete(row):
                announce_change(tx, row)
                # Those with whom it was shared depend on its owner.
                tx.announce(RightsChanged(row.user_id))
        self._forget(row.id)

    def _rests(self, server_id: int, generation: int | None = None) -> None:
        """Nothing of a server is left, or of its runs up to one: what they had is free for others."""
        self._ctx.live.forget(server_id, generation)
        if self._ctx.settings.device_pools:
            self._line.wake()

    def _forget(self, server_id: int) -> None:
        self._rests(server_id)
        self._poll_due.pop(server_id, None)
        self._backoff.clear(server_id)
        self._poller.doubts.pop(server_id, None)
        self._ctx.progress.forget(server_id)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
