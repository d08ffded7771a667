"""The line of starts: so many at once, who has waited longest first, and the rest in the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from carrel.core.context import HubContext
from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence, diagnose
from carrel.domain.servers import Failure, Server
from carrel.lib.backoff import Backoff
from carrel.lifecycle import devices
from carrel.lifecycle.start import Starter
from carrel.lifecycle.turns import Turns
from carrel.storage.base import StorageUnavailable

#: How many starts are read at once where any number may run.
_BATCH = 100
_RETRY = 1.0
_log = logging.getLogger("carrel.lifecycle")


class StartLine:
    """Begins the starts that are due while there is room for them; `begin` makes one a job."""

    def __init__(
        self,
        ctx: HubContext,
        starter: Starter,
        backoff: Backoff[int],
        turns: Turns,
        begin: Callable[[Server], bool],
    ) -> None:
        self._ctx = ctx
        self._starter = starter
        self._backoff = backoff
        self._turns = turns
        self._begin = begin
        self._running: set[int] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look whether a start can begin."""
        self._woken.set()

    def leave(self, server_id: int) -> None:
        """A start has ended, well or not, or waits elsewhere: there is room for another. May be repeated."""
        if server_id in self._running:
            self._running.discard(server_id)
            self.wake()

    async def run(self) -> None:
        """Begin starts until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._fill()
            except StorageUnavailable as error:
                _log.warning("The starts that are due cannot be read, trying again: %s", error)
                asyncio.get_running_loop().call_later(_RETRY, self.wake)
            except Exception:
                _log.exception("The starts that are due could not be read; trying again")
                asyncio.get_running_loop().call_later(_RETRY, self.wake)

    async def expire(self) -> bool:
        """End starts that have waited for too long, a bounded number; tell whether there may be more."""
        limit = self._ctx.settings.spawn_queue_timeout
        if limit <= 0:
            return False
        async with self._ctx.store.read() as tx:
            oldest = await tx.servers.due(_BATCH)
        late = [server for server in oldest if self._ctx.clock.now() >= server.wished + limit]
        refused = [server for server in late if server.id not in self._running]
        for server in refused:
            await self._starter.refuse(server, _waited_too_long(limit))
        self.wake()
        return bool(refused) and len(late) == _BATCH

    async def _fill(self) -> None:
        while room := self._room():
            # Those that have begun and not written so yet, and those that must wait, stand in the line too.
            aside = len(self._running) + len(self._backoff)
            async with self._ctx.store.read() as tx:
                due = await tx.servers.due((room + aside) * self._turns.shares)
                served = await devices.whose_turn(self._ctx, tx)
            free = [server for server in (*served, *due) if self._is_free(server)][:room]
            for server in free:
                if self._begin(server):
                    self._running.add(server.id)
            if len(free) < room or not self._running:
                return

    def _is_free(self, server: Server) -> bool:
        if server.id in self._running or self._backoff.wait(server.id):
            return False
        return self._turns.may_start(server, self._ctx.clock.now())

    def _room(self) -> int:
        limit = self._ctx.settings.concurrent_spawn_limit
        return _BATCH if limit <= 0 else max(0, limit - len(self._running))


def _waited_too_long(limit: float) -> Failure:
    return diagnose(Evidence(stage=Stage.WAITING, end=End.LATE, limit=limit))
