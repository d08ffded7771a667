"""The template's own loop: accept, fork, wait for ends. It reads nothing that is a user's."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from carrel.warmstart import wire

_BACKLOG = 128
_STALE_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Life:
    """When a template ends."""

    idle: float = 60.0
    """Seconds without a hub and without a server."""
    age: float = 24 * 3600.0
    """Seconds until it serves no more: what all children share, like the layout of memory, is made anew."""
    forks: int = 1000


def listen(path: str) -> socket.socket:
    """Return a socket for this user alone, in place of one that an earlier template has left."""
    directory, name = os.path.split(path)
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        # By way of the descriptor: the path may be longer than a socket's may be.
        new = f"/proc/self/fd/{place}/.{name}"
        found = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            if os.path.lexists(new):
                os.unlink(new)
            found.bind(new)
        finally:
            os.umask(before)
        found.listen(_BACKLOG)
        found.setblocking(False)
        os.rename(f".{name}", name, src_dir_fd=place, dst_dir_fd=place)
    finally:
        os.close(place)
    return found


class Template:
    """Forks servers for hubs of the same user until nobody needs it."""

    def __init__(
        self, starts: socket.socket, hubs: socket.socket, stale: Callable[[], bool], life: Life
    ) -> None:
        self._starts = starts
        self._hubs = hubs
        self._has_changed = stale
        self._life = life
        self._poll = select.poll()
        self._alarm, self._wakeup = socket.socketpair()
        self._present: dict[int, socket.socket] = {}
        self._children: set[int] = set()
        self._forks = 0
        self._born = self._checked = self._busy = time.monotonic()
        self._stale = ""

    def serve(self) -> socket.socket | None:
        """Return in each child: the connection that asks for it. In the template, return None at the end."""
        self._listen_to_signals()
        for one in (self._starts, self._hubs, self._alarm):
            self._poll.register(one, select.POLLIN)
        while not self._is_over():
            for number, _ in self._poll.poll(self._timeout() * 1000):
                if number == self._starts.fileno():
                    connection = self._take_start()
                    if connection is not None:
                        return connection
                else:
                    self._heed(number)
            if self._stale and self._starts.fileno() >= 0:
                self._poll.unregister(self._starts)
                self._starts.close()
        return None

    def _heed(self, number: int) -> None:
        if number == self._alarm.fileno():
            self._heed_signals()
        elif number == self._hubs.fileno():
            hub = self._accept(self._hubs)
            if hub is not None:
                hub.setblocking(False)
                self._present[hub.fileno()] = hub
                self._poll.register(hub, select.POLLIN)
        elif not self._hears(number):
            self._poll.unregister(number)
            self._present.pop(number).close()

    def _is_over(self) -> bool:
        if self._children:
            self._busy = time.monotonic()
            return False
        if self._stale:
            return True
        if self._present:
            self._busy = time.monotonic()
        return time.monotonic() - self._busy > self._life.idle

    def _timeout(self) -> float:
        return self._life.idle / 4 if not self._present and not self._children else 3600.0

    def _take_start(self) -> socket.socket | None:
        """Fork; return the connection in the child."""
        connection = self._accept(self._starts)
        if connection is None:
            return None
        self._stale = self._stale or self._why_stale()
        if self._stale:
            self._answer(connection, {"stale": self._stale})
            return None
        try:
            pid = os.fork()
        except OSError as error:
            self._answer(connection, {"refused": f"fork: {error.strerror}"})
            return None
        if pid == 0:
            self._close_all()
            return connection
        self._forks += 1
        self._children.add(pid)
        connection.close()
        return None

    def _why_stale(self) -> str:
        now = time.monotonic()
        if self._forks >= self._life.forks:
            return f"it has started {self._forks} servers"
        if now - self._born > self._life.age:
            return f"it is {now - self._born:.0f} seconds old"
        if now - self._checked > _STALE_AFTER or self._forks == 0:
            self._checked = now
            if self._has_changed():
                return "packages have changed"
        return ""

    @staticmethod
    def _answer(connection: socket.socket, message: dict[str, str]) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(wire.encode(message))
        connection.close()

    @staticmethod
    def _accept(listener: socket.socket) -> socket.socket | None:
        """Return a connection of our own user, or of root."""
        try:
            connection, _ = listener.accept()
        except OSError:
            return None
        if wire.peer(connection)[1] in (0, os.geteuid()):
            return connection
        connection.close()
        return None

    def _hears(self, number: int) -> bool:
        """Tell whether a hub is still there; what it says is not listened to."""
        try:
            return bool(self._present[number].recv(1))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _listen_to_signals(self) -> None:
        self._alarm.setblocking(False)
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _heed_signals(self) -> None:
        numbers = self._alarm.recv(4096)
        if signal.SIGTERM in numbers:
            self._stale = self._stale or "it is told to end"
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._children.clear()
                return
            if pid == 0:
                return
            self._children.discard(pid)
            self._tell({"exit": [pid, os.waitstatus_to_exitcode(status)]})

    def _tell(self, message: dict[str, list[int]]) -> None:
        for hub in self._present.values():
            try:
                hub.sendall(wire.encode(message))
            except OSError:
                continue

    def _close_all(self) -> None:
        """In a child: close through the objects, which would else close what has their numbers by then."""
        signal.set_wakeup_fd(-1)
        for one in (self._starts, self._hubs, self._alarm, self._wakeup, *self._present.values()):
            one.close()
