"""Many requests to a hub at once, and a probe that looks how long a small one takes meanwhile."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.rigs.places import ROOT


def at_once(port: int, token: str, method: str, paths: list[str]) -> list[int]:
    """Send a request for each path, all at once, each on a connection of its own; return the statuses."""

    async def run() -> list[int]:
        return list(await asyncio.gather(*(_ask(port, token, method, path) for path in paths)))

    return asyncio.run(run())


async def _ask(port: int, token: str, method: str, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: token {token}\r\n"
    writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


@contextmanager
def probing(port: int) -> Iterator[list[float]]:
    """Ask `GET /hub/api/` all the time, from another process, while the block runs.

    The list holds the seconds that each answer took once the block has ended.
    """
    taken: list[float] = []
    command = [sys.executable, "-m", "bench.load", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield taken
    finally:
        out, _ = process.communicate()
    taken += json.loads(out)


def _probe(port: int) -> None:
    async def run() -> list[float]:
        taken: list[float] = []
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(sys.stdin, over.set)
        print("ready", flush=True)
        while not over.is_set():
            begin = time.perf_counter()
            writer.write(b"GET /hub/api/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            taken.append(time.perf_counter() - begin)
            await asyncio.sleep(0.005)
        return taken

    print(json.dumps(asyncio.run(run())))


if __name__ == "__main__":
    _probe(int(sys.argv[1]))
