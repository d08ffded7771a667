"""Clients that ask a hub one thing after another on kept connections, some of them at once."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_CLOSE = b"connection: close"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> list[str]:
        """Return all values of a header."""
        wanted = name.lower().encode() + b":"
        lines = [line for line in self.head.split(b"\r\n") if line.lower().startswith(wanted)]
        return [line[len(wanted) :].strip().decode("latin-1") for line in lines]


class Client:
    """One client with one connection, which is opened when it is first needed."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.chance = chance
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(
        self, method: str, path: str, *, token: str = "", body: object = None, headers: str = ""
    ) -> Answer:
        """Return the answer; `body` is sent as JSON, or bytes as they are."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{headers}"
        if token:
            head += f"Authorization: token {token}\r\n"
        if sent or method != "GET":
            head += f"Content-Length: {len(sent)}\r\n"
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        self._writer.write(head.encode() + b"\r\n" + sent)
        answer = await _read(self._reader)
        if _CLOSE in answer.head.lower():
            self.leave()
        return answer

    def leave(self) -> None:
        """Close the connection; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return Answer(status, head, await _read_chunks(reader))
    _, found, rest = lowered.partition(b"content-length:")
    length = int(rest.split(b"\r\n")[0]) if found else 0
    return Answer(status, head, await reader.readexactly(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


Errand = Callable[[Client], Awaitable[None]]


@dataclass(slots=True)
class Load:
    """What some clients did, and how long each errand took, in seconds."""

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)


def drive(port: int, errand: Errand, *, at_once: int, seconds: float, seed: int) -> Load:
    """Have clients run the errand again and again for some seconds; each ends what it has begun."""

    async def run() -> Load:
        load, begin = Load(), time.perf_counter()

        async def work(client: Client) -> None:
            while (now := time.perf_counter()) < begin + seconds:
                await errand(client)
                load.taken.append(time.perf_counter() - now)
            client.leave()

        clients = [Client(port, random.Random(f"{seed}/{number}")) for number in range(at_once)]
        await asyncio.gather(*map(work, clients))
        load.seconds = time.perf_counter() - begin
        return load

    return asyncio.run(run())
