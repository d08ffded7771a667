"""CPU seconds of the proxy per 10,000 requests: carrel-proxy, and configurable-http-proxy if it is on PATH.

Run as `python -m bench.dataplane [--requests N] [--rounds N] [--routes N]`. The server behind is a process of
its own; rounds are interleaved, and the median is printed. Compare only figures of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

CONNECTIONS = 64
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
REQUEST = (
    b"GET /user/user-7/api/contents?content=0 HTTP/1.1\r\nHost: hub.example.org\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
    b"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
    b"Referer: https://hub.example.org/user/user-7/lab\r\nX-XSRFToken: 2|8d3e9a11|0c1f5a7e9b\r\n"
    b"Cookie: session=" + b"c" * 400 + b"\r\n\r\n"
)


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


class _Client(asyncio.Protocol):
    def __init__(self, requests: int, done: asyncio.Event) -> None:
        self.left, self.got, self.size, self.done = requests, 0, 0, done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if not self.size:
            if not data.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"not a good answer: {data[:80]!r}")
            self.size = data.index(b"\r\n\r\n") + 4 + 1024
        if self.got < self.size:
            return
        self.got = self.size = 0
        self.left -= 1
        if self.left:
            self.transport.write(REQUEST)
        else:
            self.transport.close()
            self.done.set()


def _serve(listener: socket.socket) -> None:
    async def run() -> None:
        await asyncio.get_running_loop().create_server(_Server, sock=listener)
        await asyncio.Event().wait()

    uvloop.run(run())


async def _load(port: int, requests: int) -> None:
    clients = [_Client(requests // CONNECTIONS, asyncio.Event()) for _ in range(CONNECTIONS)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    for client in clients:
        await client.done.wait()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _add_route(api_port: int, spec: str, target: str) -> None:
    url = f"http://127.0.0.1:{api_port}/api/routes{spec}"
    body = json.dumps({"target": target}).encode()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(urllib.request.Request(url, body, method="POST")).close()
            return
        time.sleep(0.05)
    raise SystemExit("the proxy does not answer")


@contextlib.contextmanager
def _proxy(command: list[str], target: str, routes: int) -> Iterator[tuple[int, int]]:
    port, api_port = _free_port(), _free_port()
    flags = ["--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api_port)]
    process = subprocess.Popen([*command, *flags, "--log-level", "error"])
    try:
        for number in range(routes):
            _add_route(api_port, f"/user/user-{number}", target)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def _measure(commands: dict[str, list[str]], target: str, given: argparse.Namespace) -> None:
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(_proxy(command, target, given.routes))
            for name, command in commands.items()
        }
        for _, port in running.values():
            uvloop.run(_load(port, given.requests))
        for _ in range(given.rounds):
            for name, (pid, port) in running.items():
                cpu, clock = _cpu(pid), time.monotonic()
                uvloop.run(_load(port, given.requests))
                rate = given.requests / (time.monotonic() - clock)
                figures[name].append(((_cpu(pid) - cpu) / given.requests * 1e4, rate))
    for name, rounds in figures.items():
        cpu, rate = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"{name:26} {cpu:6.2f} CPU s per 10k requests {rate:8.0f} requests/s, {given.routes} routes")


def main() -> None:
    """Print one line for each proxy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--routes", type=int, default=10)
    given = parser.parse_args()
    commands = {"carrel-proxy": [sys.executable, "-m", "carrel.dataplane"]}
    other = shutil.which("configurable-http-proxy")
    if other:
        commands["configurable-http-proxy"] = [other]
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    behind = multiprocessing.Process(target=_serve, args=(listener,), daemon=True)
    behind.start()
    try:
        _measure(commands, f"http://127.0.0.1:{listener.getsockname()[1]}", given)
    finally:
        behind.terminate()


if __name__ == "__main__":
    main()
