"""A template as the hub sees it: found or started, tried once, asked for servers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import carrel.warmstart
from carrel.lib.control_groups.apart import set_apart
from carrel.lib.process_table import Process, find, is_alive, look, owner_of
from carrel.lib.processes import send, wait_until_gone
from carrel.spawners.scripts import NoWarmStart, Obstacle
from carrel.spawners.trusted import who_else_writes
from carrel.warmstart import wire
from carrel.warmstart.marks import MARKS, padding
from carrel.warmstart.wire import Request

_PROGRAM = Path(carrel.warmstart.__file__).with_name("__main__.py")
#: Importing everything takes about as long as one ordinary start does, on a machine that may be busy.
_START_LIMIT = 120.0
_LOOK = 0.05
#: Modules that look for programs when they are imported find none: they would be run with the hub's rights.
_NO_PATH = "/nonexistent"
_ANSWER_LIMIT = 15.0
_END_LIMIT = 1.0
_MOST_ENDS = 4096
_log = logging.getLogger("carrel.spawners")


class StaleTemplate(Exception):
    """The template serves no more; a new one does."""


class BadTemplate(NoWarmStart):
    """Its children are not what they should be, or it cannot be started: another try would be in vain."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Obstacle.TEMPLATE)


class _Detached(subprocess.Popen[bytes]):
    def __del__(self) -> None:
        """It outlives the hub on purpose, so nobody needs to be warned that it was not waited for."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is the same for all servers of a template."""

    interpreter: str
    environment: Mapping[str, str]
    """The variables that a template shares with its servers: see `variables.shared`."""
    others: bool
    """Whether its servers get other rights than the hub's own."""
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return a short name, the same for the same kind."""
        facts = [self.interpreter, sorted(self.environment.items()), self.others, self.options, os.geteuid()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


class WarmTemplate:
    """Connects to the template in `directory`, which is the hub's alone, or starts one there."""

    def __init__(self, directory: Path, kind: Kind, check: Callable[[WarmTemplate], Awaitable[None]]) -> None:
        self.kind = kind
        self._directory = directory
        self._check = check
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._peer: Process | None = None
        self._received = b""
        self._preparing: asyncio.Task[None] | None = None
        self._ends: OrderedDict[int, int] = OrderedDict()
        self._news = asyncio.Event()

    async def prepare(self) -> None:
        """Return when the template can be asked. Raises NoWarmStart; may be repeated, also at once."""
        if self._connection is not None and self._preparing is None:
            return
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare_or_tell(), name="warm start")
            self._preparing.add_done_callback(self._prepared)
        await asyncio.shield(self._preparing)

    def _prepared(self, task: asyncio.Task[None]) -> None:
        self._preparing = None
        if not task.cancelled() and task.exception() is not None:
            self._disconnect()

    async def _prepare_or_tell(self) -> None:
        try:
            await self._prepare()
        except NoWarmStart:
            raise
        except StaleTemplate as reason:
            raise NoWarmStart(f"its template is old already: {reason}", Obstacle.NO_ANSWER) from reason
        except Exception as error:
            _log.exception("A template could not be made")
            raise BadTemplate(f"its template could not be made: {error}") from error

    async def _prepare(self) -> None:
        await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        if self._connect():
            with contextlib.suppress(StaleTemplate, NoWarmStart):
                await self._check(self)
                return
            # It is of old, or was started by a hub in other surroundings.
            await self.retire()
        await self._start()
        try:
            await self._check(self)
        except BaseException:
            await self.retire()
            raise

    async def _start(self) -> None:
        self._disconnect()
        if self._process is not None:
            # It has ended; asking takes it out of the process table.
            self._process.poll()
        spawning = asyncio.ensure_future(asyncio.to_thread(self._spawn))
        try:
            process = await asyncio.shield(spawning)
        except OSError as error:
            raise BadTemplate(f"its template could not be started: {error}") from error
        except asyncio.CancelledError:
            # Nobody would know of it.
            with contextlib.suppress(OSError, BadTemplate):
                (await spawning).kill()
            raise
        self._process = process
        with contextlib.suppress(OSError):
            # A supervisor that ends the hub's control group would end all servers' parent with it.
            await asyncio.to_thread(set_apart, process.pid, f"carrel-warm-{self._directory.name}")
        try:
            async with asyncio.timeout(_START_LIMIT):
                while not self._connect(process.pid):
                    if process.poll() is not None:
                        raise BadTemplate(
                            f"its template ended with status {process.returncode}: {self._said()}"
                        )
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            raise BadTemplate(f"its template was not ready after {_START_LIMIT:g} seconds") from None
        finally:
            if self._connection is None:
                process.kill()

    def _spawn(self) -> subprocess.Popen[bytes]:
        writable = who_else_writes(self.kind.interpreter) if os.geteuid() == 0 else ""
        if writable:
            raise BadTemplate(f"root would import what others may change: {writable}")
        arguments, room = padding()
        with open(
            os.open(self._directory / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        ) as log:
            return _Detached(
                [self.kind.interpreter, str(_PROGRAM), str(self._directory), *self.kind.options, *arguments],
                env={"PATH": _NO_PATH, **self.kind.environment, **MARKS, **room},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _said(self) -> str:
        try:
            lines = (self._directory / "log").read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"

    # The connection by which it knows that there is a hub, and tells of servers' ends

    def _connect(self, pid: int = 0) -> bool:
        """Connect, to the template that has `pid` if one is given; return whether there is one."""
        try:
            connection = self._dial(wire.HUB_SOCKET)
        except OSError:
            return False
        found, _ = wire.peer(connection)
        if pid and found != pid:
            connection.close()
            return False
        connection.setblocking(False)
        self._connection, self._peer, self._received = connection, find(found), b""
        asyncio.get_running_loop().add_reader(connection, self._hear, connection)
        return True

    def _dial(self, name: str) -> socket.socket:
        place = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_ANSWER_LIMIT)
            # By way of the descriptor: the path may be longer than a socket's may be.
            connection.connect(f"/proc/self/fd/{place}/{name}")
        except BaseException:
            connection.close()
            raise
        finally:
            os.close(place)
        return connection

    def _hear(self, connection: socket.socket) -> None:
        try:
            chunk = connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._disconnect()
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            with contextlib.suppress(wire.BadMessageError, KeyError, ValueError):
                pid, status = wire.decode(line)["exit"]
                self._ends[pid] = status
        while len(self._ends) > _MOST_ENDS:
            self._ends.popitem(last=False)
        self._news.set()
        self._news = asyncio.Event()

    def _disconnect(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> socket.socket | None:
        """Return what the template is known by, None when there is none."""
        return self._connection

    @property
    def connected(self) -> bool:
        """Return whether a template is there to tell of ends."""
        return self._connection is not None

    def take_end(self, pid: int) -> int | None:
        """Return the exit status that a server ended with, once; None while it is not known."""
        return self._ends.pop(pid, None)

    async def next_end(self) -> None:
        """Return when something was told."""
        await self._news.wait()

    # Servers

    def ask(self, request: Request, output: int, admit: Callable[[int], None] | None = None) -> int:
        """Have a server started and return its pid; blocks for some milliseconds.

        The server waits while `admit` is called with its pid, and does not outlive what that raises. Raises
        StaleTemplate, and NoWarmStart when there is no such server and will not be.
        """
        with _understood():
            connection = self._dial(wire.START_SOCKET)
        with connection:
            with _understood():
                wire.send_request(connection, request, output)
                pid = _pid_in(wire.receive_answer(connection))
            _require_own(pid, wire.peer(connection)[0], request)
            self._ends.pop(pid, None)
            if admit is not None:
                _admit(pid, admit)
            with _understood():
                connection.sendall(wire.GO)
        return pid

    def forget(self, connection: socket.socket | None) -> None:
        """Look for a template anew before the next server, unless another `connection` was made since."""
        if self._connection is connection:
            self._disconnect()

    async def retire(self) -> None:
        """Let the template end as soon as its servers have, and return when it has or soon after."""
        if self._connection is not None:
            found = self._peer
            with contextlib.suppress(PermissionError):
                if found is not None:
                    send(found, signal.SIGTERM)
            self._disconnect()
            if found is not None:
                await wait_until_gone(found, _END_LIMIT)

    async def close(self, *, end: bool) -> None:
        """Let go of it: it ends by itself when no hub comes; with `end`, when its servers have ended."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        if end:
            await self.retire()
        self._disconnect()


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """Say what an error of the connection means: nothing was started, as without a GO nothing is."""
    try:
        yield
    except ConnectionError as error:
        # It ends just now, and may have closed before it has heard all of the request.
        raise StaleTemplate("gone") from error
    except (OSError, wire.BadMessageError) as error:
        raise NoWarmStart(f"its template does not answer: {error}", Obstacle.NO_ANSWER) from error


def _pid_in(answer: Mapping[str, Any]) -> int:
    if "stale" in answer:
        raise StaleTemplate(answer["stale"])
    if "refused" in answer:
        raise NoWarmStart(str(answer["refused"]), Obstacle.REFUSED)
    if "pid" not in answer:
        raise NoWarmStart("its template does not answer", Obstacle.NO_ANSWER)
    return int(answer["pid"])


def _require_own(pid: int, template: int, request: Request) -> None:
    """Raise NoWarmStart for a process that no template has started with these rights.

    What answers has its user's rights by then, and what it names is signalled with the hub's.
    """
    seen = look(pid)
    uid = os.geteuid() if request.rights is None else request.rights.uid
    if seen is None or seen.parent != template or owner_of(pid) != uid:
        reason = f"its template names process {pid}, which is none of its own"
        raise NoWarmStart(reason, Obstacle.TEMPLATE)


def _admit(pid: int, admit: Callable[[int], None]) -> None:
    process = find(pid)
    if process is None:
        raise NoWarmStart("its process has ended before it was admitted", Obstacle.NO_ANSWER)
    try:
        admit(pid)
    except BaseException:
        # It has done nothing yet but wait, and nobody will know of it.
        send(process, signal.SIGKILL)
        deadline = time.monotonic() + _END_LIMIT
        while is_alive(process) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        raise
