"""One of several processes that forward: it accepts connections, and does to its table what main says."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from dataclasses import dataclass, field

import uvloop

from carrel.dataplane.certificates import Certificates
from carrel.dataplane.channel import (
    Applied,
    Ask,
    Behind,
    Channel,
    Drain,
    FromMain,
    Hello,
    Open,
    Reload,
    Report,
    Told,
    to_main,
)
from carrel.dataplane.engine import Engine
from carrel.dataplane.listeners import Listener
from carrel.dataplane.options import Options
from carrel.dataplane.routes import Change, RouteTable
from carrel.dataplane.serving import forwarding, make_engine
from carrel.lib.clock import SystemClock, Timestamp


class Unset(SystemClock):
    """The clock of a worker's table: a route that only main has changed has no activity to report."""

    def now(self) -> Timestamp:
        return 0.0


@dataclass(slots=True)
class Worker:
    """Does what main says."""

    engine: Engine
    certificates: Certificates
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    #: It has no more to say; `sent` comes when main has all of it.
    done: bool = False
    sent: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, channel: Channel[FromMain], message: FromMain) -> None:
        """Take one message from main, and answer it."""
        match message:
            case Told(change):
                channel.send(self.follow(change))
            case Ask():
                channel.send(self.report())
            case Open():
                self.opened.set()
            case Reload():
                # Main says what is wrong with them.
                self.certificates.reload()
                self.engine.trust(self.certificates.client)
            case Drain():
                self.drained.set()

    def follow(self, change: Change) -> Applied | Behind:
        """Change the table as main's was changed."""
        try:
            self.engine.table.follow(change)
        except ValueError as error:
            return Behind(str(error))
        return Applied(change.number)

    def report(self) -> Report:
        """Return what happened since the last report."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        engine = self.engine
        activity = engine.table.take_activity()
        return Report(activity, engine.take_counts(), engine.load, (used.ru_utime, used.ru_stime))

    def left_alone(self) -> None:
        """End at once because main is gone, unless everything is done."""
        if not self.done:
            os._exit(0)
        self.sent.set()


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker of a template does."""

    options: Options
    certificates: Certificates
    log: logging.Logger

    def __call__(self, listener: socket.socket, end: socket.socket) -> int:
        """Be a worker until main says that it ends, or is gone; return the exit status."""
        try:
            uvloop.run(self._serve(listener, end))
        except Exception as error:
            self.log.error("A worker cannot go on: %s: %s", type(error).__name__, error)
            return 1
        return 0

    async def _serve(self, listener: socket.socket, end: socket.socket) -> None:
        options, certificates = self.options, self.certificates
        table = RouteTable(Unset(), prepend_path=options.prepend_path)
        limits = options.limits.share(options.workers)
        worker = Worker(make_engine(options, limits, table, certificates, self.log), certificates)
        channel = to_main(lambda message: worker.hear(channel, message), worker.left_alone)
        await channel.open(end)
        channel.send(Hello(os.getpid()))
        await worker.opened.wait()
        async with forwarding(worker.engine, Listener(listener, certificates.public)):
            await certificates.complete()
            await worker.drained.wait()
        channel.send(worker.report())
        worker.done = True
        channel.close()
        await worker.sent.wait()
