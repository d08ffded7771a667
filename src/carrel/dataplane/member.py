"""One worker as the main process knows it: what it was told, and what it has answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from carrel.dataplane.channel import (
    Applied,
    Ask,
    Behind,
    Drain,
    FromWorker,
    Hello,
    Open,
    Reload,
    Report,
    Told,
    to_worker,
)
from carrel.dataplane.load import Load
from carrel.dataplane.routes import Change

#: Main looks at what is unanswered so often, in seconds. It counts these looks and not the time: when the
#: whole machine stood still, a worker that had no time is not late.
LOOK_SECONDS = 0.5
#: Looks until a change of the table must be answered; and a report or a start, which no caller waits for.
_CHANGE = 4
_PATIENT = 20


class Home(Protocol):
    """What all workers have in common."""

    def whole(self) -> Change:
        """Return the table, as workers have it."""

    def reported(self, report: Report) -> None:
        """Take what happened in a worker."""


@dataclass(slots=True)
class _Asked:
    looks: int
    answer: asyncio.Future[None]
    is_change: bool = False
    is_whole: bool = False


class Member:
    """Serves from `opened` to `ended`. A new one has every change in its table before it serves.

    One that ends before it serves is set to both.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._asked: deque[_Asked] = deque()
        #: Names this process even when its id is another's by now; -1 where there is no such thing.
        self._handle = -1
        self._stale = False
        self.channel = to_worker(self._hear, self._end)
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()
        #: 0 until it runs.
        self.pid = 0
        self.load = Load()
        #: User and system CPU seconds.
        self.cpu = (0.0, 0.0)
        #: Why main ended it, if it did.
        self.fault = ""

    @property
    def serves(self) -> bool:
        """Tell whether it accepts connections."""
        return self.opened.is_set() and not self.ended.is_set()

    def expect_start(self) -> None:
        """Wait for its first word from now on."""
        self._expect(_PATIENT)

    def tell(self, change: Change) -> None:
        """Send a change, if it has been told the table."""
        if self.pid and not self.ended.is_set():
            self.channel.send(Told(change))
            self._expect(_CHANGE if self.opened.is_set() else _PATIENT, is_change=True)

    def ask(self) -> asyncio.Future[None]:
        """Ask for a report; the result is there when it has come, or cannot come any more."""
        self.channel.send(Ask())
        return self._expect(_PATIENT)

    def reload(self) -> None:
        """Have it read its certificates again; one that has not said that it runs may have the old ones."""
        self._stale = not self.pid
        if self.pid and not self.ended.is_set():
            self.channel.send(Reload())

    def drain(self) -> None:
        """Have it finish and end; at once when it does not serve yet."""
        if self.serves:
            self.channel.send(Drain())
        else:
            self.channel.close()

    def change_under_way(self) -> asyncio.Future[None] | None:
        """Return what is done when the last change is in its table, or it has ended; None when that is so."""
        return next((asked.answer for asked in reversed(self._asked) if asked.is_change), None)

    def look(self) -> None:
        """End it when an answer is due."""
        for asked in self._asked:
            asked.looks -= 1
        late = [asked for asked in self._asked if asked.looks < 0]
        if late and not self.fault:
            what = "take a change of the routes" if late[0].is_change else "answer"
            self.kill(f"it did not {what} in time" if self.pid else "it did not start in time")

    def kill(self, fault: str) -> None:
        """End it now, with its connections."""
        self.fault = self.fault or fault
        with contextlib.suppress(ProcessLookupError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            elif self.pid:
                os.kill(self.pid, signal.SIGKILL)
        if not self.pid:
            self.channel.close()

    def _hear(self, message: FromWorker) -> None:
        match message:
            case Hello(pid):
                self._answered()
                self._begin(pid)
            case Applied():
                self._answered()
                if not self.opened.is_set() and self.change_under_way() is None:
                    self.channel.send(Open())
                    self.opened.set()
            case Behind(reason):
                self._behind(reason)
            case Report():
                self.load, self.cpu = message.load, message.cpu
                self._home.reported(message)
                # The last one is not asked for.
                if self._asked and not self._asked[0].is_change:
                    self._answered()

    def _begin(self, pid: int) -> None:
        self.pid = pid
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(pid)
        if self._stale:
            self.reload()
        self.channel.send(Told(self._home.whole()))
        self._expect(_PATIENT, is_change=True, is_whole=True)

    def _behind(self, reason: str) -> None:
        asked = self._asked.popleft()
        if asked.is_whole:
            self.kill(f"it cannot take the routes: {reason}")
        # Whoever waits for the change waits for the table now.
        self._asked.append(_Asked(asked.looks, asked.answer, is_change=True, is_whole=True))
        self.channel.send(Told(self._home.whole()))

    def _expect(self, looks: int, *, is_change: bool = False, is_whole: bool = False) -> asyncio.Future[None]:
        answer = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(looks, answer, is_change, is_whole))
        return answer

    def _answered(self) -> None:
        answer = self._asked.popleft().answer
        if not answer.done():
            answer.set_result(None)

    def _end(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self.ended.set()
        self.opened.set()
        while self._asked:
            self._answered()
