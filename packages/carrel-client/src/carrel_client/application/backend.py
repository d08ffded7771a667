"""The application itself: its process, where it listens, and whether it is there yet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_GRACE = 10.0
_LOOK = 0.1
_LISTENING = "0A"


class Unreachable(OSError):
    """Nothing answers where the application should be."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an application listens: a Unix socket, or a port of the loopback address."""

    port: int = 0
    path: str = ""

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the addresses by which the application may call itself."""
        if not self.port:
            return ()
        hosts = "127.0.0.1", "localhost", "0.0.0.0"  # noqa: S104 - compared, not bound
        return tuple(f"http://{host}:{self.port}" for host in hosts)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to the application. Raises Unreachable."""
        try:
            if self.path:
                return await asyncio.open_unix_connection(self.path)
            return await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as problem:
            raise Unreachable(str(problem)) from None

    async def answers(self) -> bool:
        """Tell whether the application takes connections: it, and nobody who was quicker."""
        try:
            _, writer = await self.connect()
        except Unreachable:
            return False
        writer.transport.abort()
        return not (self.port and is_foreign(self.port))


@contextlib.asynccontextmanager
async def free_address(*, unix: bool) -> AsyncIterator[Address]:
    """Give an address that nobody uses; a socket lies in a directory that nobody else may enter."""
    if not unix:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        yield Address(port=port)
        return
    with tempfile.TemporaryDirectory(prefix="carrel-app-") as directory:
        yield Address(path=str(Path(directory) / "socket"))


def is_foreign(port: int, table: Path = Path("/proc/net")) -> bool:
    """Tell whether an account other than ours listens on a port of this machine, as far as that can be seen.

    The port was free when it was chosen: another account may have been quicker than the application.
    """
    owners = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (table / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    owners.add(int(fields[7]))
    return bool(owners - {os.geteuid()})


class Application:
    """The process of an application, from its start to its end."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], address: Address) -> None:
        self._words = list(words)
        self._environment = dict(environment)
        self.address = address
        self.is_ready = False
        """It has taken a connection."""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it. Raises OSError when there is no such program."""
        self._process = await asyncio.create_subprocess_exec(
            *self._words, env=self._environment, stdin=asyncio.subprocess.DEVNULL
        )

    async def wait(self) -> int:
        """Return its exit status when it has ended; negative is a signal."""
        return await self._running.wait()

    async def wait_until_ready(self) -> None:
        """Return when it takes connections; does not return when it never does."""
        while not await self.address.answers():
            await asyncio.sleep(_LOOK)
        self.is_ready = True

    async def stop(self) -> None:
        """End it, gently at first; may be repeated."""
        process = self._process
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process is None or process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the application was not started")
        return self._process
