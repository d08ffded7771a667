"""The workers of a main process: as many as there shall be, all with the same table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence

from carrel.dataplane.back_off import BackOff
from carrel.dataplane.channel import Report
from carrel.dataplane.control_server import Answer, Call
from carrel.dataplane.forker import Forker
from carrel.dataplane.load import Load, total
from carrel.dataplane.member import LOOK_SECONDS, Member
from carrel.dataplane.metrics import Metrics, Others
from carrel.dataplane.replies import Reply
from carrel.dataplane.routes import Change, RouteTable, forwarded
from carrel.lib.clock import Clock

#: How long all workers may take to start, and to say what they know; in seconds.
_START_LIMIT = 15.0
_REPORT_LIMIT = 2.0
#: How much longer than its answers under way a worker may take to end.
_FAREWELL = 2.0
#: After how many looks at the workers they are asked what has happened.
_REPORT_EVERY = 2


class NoWorkersError(OSError):
    """The workers do not start; the log says why."""


class Fleet:
    """Starts workers, tells them every change of the table, and replaces those that end."""

    def __init__(
        self,
        table: RouteTable,
        forker: Forker,
        sockets: Sequence[socket.socket],
        drain_seconds: float,
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        self._table = table
        self._forker = forker
        self._sockets = sockets
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._log = log
        self._members: list[Member | None] = [None] * len(sockets)
        #: CPU seconds of workers that have ended.
        self._gone = (0.0, 0.0)
        self._started = asyncio.Event()
        self._metrics = Metrics(self._others)

    @property
    def metrics(self) -> Metrics:
        """Return where the API's calls are counted, and what workers have reported."""
        return self._metrics

    @property
    def workers(self) -> tuple[int, ...]:
        """Return the process ids of those that serve."""
        return tuple(member.pid for member in self._serving())

    @property
    def load(self) -> Load:
        """Return how much is open, as of the last reports."""
        return total(member.load for member in self._serving())

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve with all workers; at the end they finish what is under way. Raises NoWorkersError."""
        loop = asyncio.get_running_loop()
        self._table.on_change(self._changed)
        self._forker.start()
        keepers = [loop.create_task(self._keep(slot)) for slot in range(len(self._members))]
        minder = loop.create_task(self._mind())
        try:
            await self._all_started()
            yield
        finally:
            await _cancel(*keepers)
            await self._end()
            await _cancel(minder)

    async def complete(self) -> None:
        """Each worker does that."""

    def reload(self) -> None:
        """Have the certificates read again."""
        self._forker.reload()
        for member in self._present():
            member.reload()

    def answering(self, answer: Callable[[Call], Reply]) -> Answer:
        """Return what answers after every worker knows what was changed, and with all that they know."""

        async def answer_later(call: Call) -> Reply:
            if call.method in ("GET", "HEAD"):
                await self.refresh()
            reply = answer(call)
            await self.settle()
            return reply

        return answer_later

    async def refresh(self) -> None:
        """Return when the reports are new, or after a while without those of workers that are late."""
        reports = [member.ask() for member in self._serving()]
        if reports:
            await asyncio.wait(reports, timeout=_REPORT_LIMIT)

    async def settle(self) -> None:
        """Return when the table of every worker that serves has all changes made until now.

        One that does not take them in time is ended.
        """
        changes = [member.change_under_way() for member in self._serving()]
        waiting = [change for change in changes if change is not None]
        if waiting:
            await asyncio.wait(waiting)

    def whole(self) -> Change:
        """Return the table, as workers have it."""
        return forwarded(self._table.whole())

    def reported(self, report: Report) -> None:
        """Take what happened in a worker."""
        self._table.note_activity(report.activity)
        self._metrics.add(report.counts)

    def _present(self) -> list[Member]:
        return [member for member in self._members if member is not None]

    def _serving(self) -> list[Member]:
        return [member for member in self._present() if member.serves]

    def _changed(self, change: Change) -> None:
        told = forwarded(change)
        for member in self._present():
            member.tell(told)

    def _others(self) -> Others:
        spent = [self._gone, *(member.cpu for member in self._present())]
        return Others(self.workers, (sum(user for user, _ in spent), sum(system for _, system in spent)))

    async def _all_started(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_LIMIT):
                await self._started.wait()
                return
        raise NoWorkersError("the workers do not start; see the log")

    async def _keep(self, slot: int) -> None:
        """Keep a worker in one place, for ever."""
        back_off = BackOff()
        while True:
            try:
                member = self._members[slot] = await self._start(slot)
            except OSError as error:
                pause = back_off.after(0.0)
                self._log.error("No worker can be started: %s; next try in %g s", error, pause)
                await self._clock.sleep(pause)
                continue
            await member.opened.wait()
            begun = self._clock.monotonic()
            if len(self._serving()) == len(self._members):
                self._started.set()
            await member.ended.wait()
            self._members[slot] = None
            self._gone = (self._gone[0] + member.cpu[0], self._gone[1] + member.cpu[1])
            pause = back_off.after(self._clock.monotonic() - begun)
            name = f"Worker {member.pid}" if member.pid else "A new worker"
            why = f": {member.fault}" if member.fault else ""
            self._log.error("%s has ended%s; another one starts in %g s", name, why, pause)
            await self._clock.sleep(pause)

    async def _start(self, slot: int) -> Member:
        member = Member(self)
        mine, its = socket.socketpair()
        with its:
            await member.channel.open(mine)
            member.expect_start()
            try:
                await self._forker.fork(slot, its)
            except OSError:
                member.channel.close()
        return member

    async def _mind(self) -> None:
        """Ask what has happened, and end who does not answer."""
        looks = 0
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            looks += 1
            for member in self._present():
                member.look()
                if member.fault and not member.pid:
                    self._forker.kill()
            if looks % _REPORT_EVERY == 0:
                for member in self._serving():
                    member.ask()
            if self._forker.replaced:
                _collect_orphans()

    async def _end(self) -> None:
        self._forker.retire()
        for listener in self._sockets:
            listener.close()
        leaving = self._present()
        for member in leaving:
            member.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds + _FAREWELL):
                await _all_ended(leaving)
        for member in leaving:
            if not member.ended.is_set():
                member.kill("")
        await _all_ended(leaving)
        await self._forker.close()


async def _all_ended(members: list[Member]) -> None:
    for member in members:
        await member.ended.wait()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _collect_orphans() -> None:
    """Take ended workers of a lost template out of the process table, if they have become our children."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
