"""Hostile traffic at a data plane, and whether anything stays: `python -m bench.leaks [--minutes N]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.dataplane.harness import Proxy, proxy

FLAGS = ("--header-timeout", "2", "--body-timeout", "2", "--connect-timeout", "2", "--log-level", "error")
UPGRADE = b"GET /%b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
GET = b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /%b HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
AT_ONCE = 24
SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Measure:
    """What the process holds: descriptors, resident bytes, and its own counts."""

    descriptors: int
    memory: int
    load: dict[str, int]


@dataclass
class Nasty:
    """A server that does by path what servers should not; restarts on its port."""

    server: asyncio.Server | None = None
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and break every connection."""
        if self.server is not None:
            self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not await self._behave(head.split()[1].rpartition(b"/")[2].decode(), reader, writer):
                    break
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            writer.transport.abort()

    async def _behave(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if path.isdecimal():
            writer.write(b"HTTP/1.1 %b No\r\nContent-Length: 2\r\n\r\nno" % path.encode())
            return True
        if path == "echo":
            writer.write(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data)
            return False
        if path == "silent":
            await reader.read()
        elif path == "half":
            writer.write(b"HTTP/1.1 101 Go\r\nConn")
        elif path == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nabc")
            await writer.drain()
        elif path == "endless":
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        _reset(writer)
        return False


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of an end."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Attack:
    """Clients of every bad kind, drawn by a seeded choice."""

    front: Proxy
    nasty: Nasty
    choose: random.Random
    done: int = 0

    async def run(self, seconds: float) -> None:
        """Keep a few clients at it for that long, then let them end."""
        end = time.monotonic() + seconds
        await asyncio.gather(self._restart(end), *(self._clients(end) for _ in range(AT_ONCE)))

    async def _clients(self, end: float) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [
            self._refused_upgrade,
            self._tab,
            self._vanish,
            self._body,
            self._slow,
            self._half_open,
            self._ahead,
        ]
        while time.monotonic() < end:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self.choose.choice(kinds)()
            self.done += 1

    async def _restart(self, end: float) -> None:
        while time.monotonic() < end:
            await asyncio.sleep(self.choose.uniform(0.3, 2))
            await self.nasty.stop()
            await asyncio.sleep(self.choose.uniform(0, 0.3))
            await self.nasty.start()

    async def _talk(self, raw: bytes, seconds: float, *, reset: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.front.port)
        try:
            writer.write(raw)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while await reader.read(65536):
                        pass
        finally:
            if reset:
                _reset(writer)
            writer.transport.abort()

    def _where(self, *names: str) -> bytes:
        return f"{self.choose.choice(['live', 'dead', 'either'])}/{self.choose.choice(names)}".encode()

    async def _refused_upgrade(self) -> None:
        where = self._where("200", "302", "403", "404", "500", "503", "half", "reset")
        await self._talk(UPGRADE % where, 1, reset=self.choose.random() < 0.5)

    async def _tab(self) -> None:
        for _ in range(10):
            where = self._where("echo", "silent", "503")
            await self._talk(UPGRADE % where + b"frame", 0.02, reset=self.choose.random() < 0.5)

    async def _vanish(self) -> None:
        raw = GET % self._where("silent", "cut", "endless", "200")
        await self._talk(raw, self.choose.uniform(0, 0.05), reset=self.choose.random() < 0.5)

    async def _body(self) -> None:
        raw = POST % self._where("silent", "200", "reset") + b"x" * self.choose.randrange(100_000)
        await self._talk(raw, self.choose.uniform(0, 0.2), reset=self.choose.random() < 0.5)

    async def _slow(self) -> None:
        raw = self.choose.choice([b"GET /live/200 HTTP/1.1\r\nX", POST % b"live/silent", b""])
        await self._talk(raw, 5, reset=False)

    async def _half_open(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.front.port)
        writer.write(self.choose.choice([UPGRADE, GET]) % self._where("silent", "echo", "200"))
        writer.write_eof()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), 1)
        writer.transport.abort()

    async def _ahead(self) -> None:
        raw = b"".join(GET % self._where("200", "cut", "503") for _ in range(20))
        await self._talk(raw, 0.2, reset=True)


async def measure(front: Proxy) -> Measure:
    """Return what the proxy holds now."""
    load = (await front.api("GET", "/api/status")).json()["load"]
    assert isinstance(load, dict)
    return Measure(front.descriptors(), front.memory(), load)


async def settle(front: Proxy, descriptors: int | None = None) -> Measure:
    """Return what the proxy holds once nothing is open any more, or after a while."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        now = await measure(front)
        calm = not any(now.load[name] for name in ("connections", "tunnels", "upgrades", "idle_upstreams"))
        if (calm and (descriptors is None or now.descriptors <= descriptors)) or time.monotonic() > end:
            return now
        await asyncio.sleep(0.1)


async def soak(front: Proxy, seconds: float, seed: int) -> tuple[Measure, Measure, int]:
    """Return what is held before and after hostile traffic, and how many clients there were.

    "Before" comes after a fifth of the time: caches and the allocator's pools are full then.
    """
    nasty = Nasty()
    await nasty.start()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
    await front.route("/live", f"http://127.0.0.1:{nasty.port}")
    await front.route("/dead", f"http://127.0.0.1:{dead}")
    await front.route("/either", f"http://127.0.0.1:{dead}", alternatives=[f"http://127.0.0.1:{nasty.port}"])
    attack = Attack(front, nasty, random.Random(seed))
    try:
        await attack.run(seconds / 5)
        before = await settle(front)
        await attack.run(seconds * 4 / 5)
        return before, await settle(front, before.descriptors), attack.done
    finally:
        await nasty.stop()


def find_leaks(before: Measure, after: Measure, share: float) -> list[str]:
    """Return what has stayed; memory may grow by `share`."""
    leaks = [
        f"{name}: {before.load[name]} -> {now}" for name, now in after.load.items() if now > before.load[name]
    ]
    if after.descriptors > before.descriptors:
        leaks.append(f"descriptors: {before.descriptors} -> {after.descriptors}")
    if after.memory > before.memory * (1 + share):
        leaks.append(f"memory: {before.memory} -> {after.memory} bytes")
    return leaks


async def run(minutes: float, seed: int, workers: int) -> int:
    """Return the exit status: 0 when nothing has stayed."""
    with tempfile.TemporaryDirectory() as directory:
        async with proxy(Path(directory), *FLAGS, workers=workers) as front:
            before, after, clients = await soak(front, minutes * 60, seed)
    print(f"{clients} hostile clients in {minutes:g} minutes, seed {seed}")
    print(f"before: {before}\nafter:  {after}")
    leaks = find_leaks(before, after, 0.02)
    print("\n".join(leaks) or "nothing has stayed")
    return 1 if leaks else 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="bench.leaks", description="Find what hostile traffic leaves.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--workers", type=int, default=1, help="processes that forward (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="which traffic (default: 1)")
    given = parser.parse_args()
    return asyncio.run(run(given.minutes, given.seed, given.workers))


if __name__ == "__main__":
    sys.exit(main())
