"""A worker's member without a process: the other end is a list of what was said."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from carrel.dataplane.channel import Applied, Channel, FromMain, FromWorker, Hello, Report, to_main
from carrel.dataplane.load import Load
from carrel.dataplane.member import Home, Member
from carrel.dataplane.metrics import Metrics
from carrel.dataplane.routes import Change

TARGET = {"target": "http://127.0.0.1:1"}
#: More than the process ids that there can be: nobody is killed.
NOBODY = 2**30


class Pipe(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


@dataclass
class Center:
    """The table's whole, and what was reported."""

    number: int = 5
    reports: list[Report] = field(default_factory=list)

    def whole(self) -> Change:
        return Change(self.number, {"/a": TARGET}, whole=True)

    def reported(self, report: Report) -> None:
        self.reports.append(report)


class Pair:
    """A member, and the words that it and its worker exchange."""

    def __init__(self, home: Home | None = None) -> None:
        self.center = Center()
        self.home = home or self.center
        self.member = Member(self.home)
        self.pipe = Pipe()
        self.member.channel.connection_made(self.pipe)
        self.member.expect_start()
        self.told: list[FromMain] = []
        self._other: Channel[FromMain] = to_main(self.told.append, lambda: None)

    def say(self, message: FromWorker) -> None:
        """Let the worker say something."""
        pipe = Pipe()
        speaking: Channel[FromMain] = to_main(self.told.append, lambda: None)
        speaking.connection_made(pipe)
        speaking.send(message)
        self.member.channel.data_received(bytes(pipe.written))

    def heard(self) -> list[FromMain]:
        """Return what the worker was told since the last call."""
        self._other.data_received(bytes(self.pipe.written))
        self.pipe.written.clear()
        told, self.told[:] = list(self.told), []
        return told

    def start(self) -> None:
        """Let it serve."""
        self.say(Hello(NOBODY))
        self.say(Applied(self.home.whole().number))
        self.heard()


def report() -> Report:
    """Return a report of one visit and three connections."""
    return Report({"/a": 7.0}, Metrics().counts(), Load(connections=3), (1.0, 2.0))
