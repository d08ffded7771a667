"""What is measured of one running proxy over HTTP: each function returns one figure."""

from __future__ import annotations

import http.client
import json
import math
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench.proxy.running import PATIENCE, Failed, Running, ask_port
from bench.proxy.upstream import LARGE

#: Routes of the large table, and users that requests are spread over.
USERS = 5000
CONNECTIONS = 64
_GET = Path(__file__).with_name("get.lua")
_BODY = bytes(LARGE)


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much work there is."""

    rounds: int = 5
    #: Before those, of rounds that do not count: V8 compiles anew when its work changes.
    rounds_before: int = 1
    #: Of wrk, which takes whole ones.
    get_seconds: int = 2
    round_trips: int = 30_000
    large_bodies: int = 3
    added_routes: int = 300
    restarts: int = 3
    idle_websockets: int = 5000
    #: The share of each proxy's own time to warm up.
    warm_up: float = 1.0


QUICK = Amounts(
    rounds=1,
    rounds_before=0,
    get_seconds=1,
    round_trips=10_000,
    large_bodies=1,
    added_routes=100,
    restarts=3,
    warm_up=0.4,
)


def get(proxy: Running, amounts: Amounts) -> float:
    """Return CPU seconds for one small GET, over kept connections to random users."""
    return get_for(proxy, amounts.get_seconds)


def get_for(proxy: Running, seconds: int) -> float:
    """Return CPU seconds for one small GET; raises Failed when one was not answered well."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s", "-s", str(_GET)]
    before = proxy.cpu_seconds()
    told = subprocess.run(
        [*command, proxy.origin, "--", str(proxy.setup.users)],
        capture_output=True,
        text=True,
        timeout=seconds + PATIENCE,
        check=False,
    )
    used = proxy.cpu_seconds() - before
    if told.returncode:
        raise Failed(f"wrk: {told.stderr.strip() or told.stdout.strip()}")
    counts = json.loads(told.stdout.splitlines()[-1])
    requests = counts.pop("requests")
    if not requests or any(counts.values()):
        raise Failed(f"wrk: {requests} requests, errors: {counts}")
    return used / float(requests)


def download(proxy: Running, amounts: Amounts) -> float:
    """Return CPU seconds for one byte of large answers, one after the other on one connection."""
    buffer = memoryview(bytearray(256 * 1024))

    def one(connection: http.client.HTTPConnection, path: str) -> None:
        connection.request("GET", f"{path}/files/download")
        with connection.getresponse() as answer:
            size = sum(iter(lambda: answer.readinto(buffer), 0))
        if size != LARGE:
            raise Failed(f"download: {answer.status}, {size} bytes of {LARGE}")

    return _move(proxy, amounts.large_bodies, one)


def upload(proxy: Running, amounts: Amounts) -> float:
    """Return CPU seconds for one byte of large requests, one after the other on one connection."""

    def one(connection: http.client.HTTPConnection, path: str) -> None:
        connection.request("PUT", f"{path}/api/contents/upload", _BODY)
        with connection.getresponse() as answer:
            answer.read()
        if answer.status != 200:
            raise Failed(f"upload: {answer.status}")

    return _move(proxy, amounts.large_bodies, one)


def add_route(proxy: Running, amounts: Amounts) -> float:
    """Return the 99th percentile of seconds from the start of a POST until its route is served.

    Served means: on a kept connection that has asked for the same path before, and on a new one.
    """
    hub, server = proxy.setup.servers[:2]
    seconds = []
    with proxy.api() as api, proxy.connect() as kept:
        api.add("/", hub)
        for number in range(amounts.added_routes):
            path = f"/user/new-{number}"
            if ask_port(kept, path) != hub:
                raise Failed(f"{path} is not led to the hub before it has a route")
            begin = time.perf_counter()
            api.add(path, server)
            _until_served(proxy, kept, path, server)
            seconds.append(time.perf_counter() - begin)
            api.delete(path)
        api.delete("/")
    return percentile(seconds, 0.99)


def percentile(values: list[float], share: float) -> float:
    """Return the smallest of the values that at least this share of them do not exceed."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def _until_served(proxy: Running, kept: http.client.HTTPConnection, path: str, server: int) -> None:
    end = time.monotonic() + PATIENCE
    for connect in (lambda: nullcontext(kept), proxy.connect):
        served = False
        while not served:
            with connect() as connection:
                served = ask_port(connection, path) == server
            if time.monotonic() > end:
                raise Failed(f"{path} is not served {PATIENCE:g} s after its route was set")


def _move(proxy: Running, bodies: int, one: Callable[[http.client.HTTPConnection, str], None]) -> float:
    with proxy.connect() as connection:
        connection.connect()
        before = proxy.cpu_seconds()
        for number in range(bodies):
            one(connection, f"/user/user-{number % proxy.setup.users}")
        return (proxy.cpu_seconds() - before) / (bodies * LARGE)
