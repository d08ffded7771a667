"""A proxy that runs, pinned to a core of its own, and the servers behind all of them."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from bench.proxy.systems import Setup, System
from tests.rigs import processes
from tests.rigs.poll import TooLate, until

_TOKEN = "bench"
#: No exchange of a benchmark takes as long, in seconds.
PATIENCE = 60.0


class Failed(Exception):
    """A proxy did not do what is measured; the message says what it did instead."""


class RouteApi:
    """One kept connection to configurable-http-proxy's REST API."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def add(self, path: str, port: int) -> None:
        """Lead `path` to the server on `port`; raises Failed."""
        body = json.dumps({"target": f"http://127.0.0.1:{port}"})
        self._ask("POST", path, body, 201)

    def delete(self, path: str) -> None:
        """Remove the route; raises Failed."""
        self._ask("DELETE", path, None, 204)

    def is_up(self) -> bool:
        """Return whether the API answers yet."""
        try:
            self._ask("GET", "", None, 200)
        except ConnectionRefusedError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None, good: int) -> None:
        headers = {"Authorization": f"token {_TOKEN}", "Content-Type": "application/json"}
        self._connection.request(method, f"/api/routes{path}", body, headers)
        with self._connection.getresponse() as answer:
            told = answer.read()
        if answer.status != good:
            raise Failed(f"{method} /api/routes{path}: {answer.status} {told[:200]!r}")


@dataclass(frozen=True, slots=True)
class Running:
    """A running proxy."""

    system: System
    setup: Setup
    pid: int
    #: Trusts the proxy's certificate; None is plain HTTP.
    trust: ssl.SSLContext | None

    @property
    def transport(self) -> str:
        """Return the scheme of its public port."""
        return "https" if self.trust else "http"

    @property
    def origin(self) -> str:
        """Return scheme, host and port."""
        return f"{self.transport}://127.0.0.1:{self.setup.port}"

    def cpu_seconds(self) -> float:
        """Return the user and system CPU seconds of all its processes, those that have ended too."""
        return processes.tree_cpu_seconds(self.pid)

    def pss(self) -> int:
        """Return the proportional set size of all its processes in bytes."""
        return sum(map(processes.pss, processes.tree(self.pid)))

    def connect(self) -> closing[http.client.HTTPConnection]:
        """Return a new connection to the public port, closed by `with`."""
        address = ("127.0.0.1", self.setup.port)
        if self.trust:
            return closing(http.client.HTTPSConnection(*address, timeout=PATIENCE, context=self.trust))
        return closing(http.client.HTTPConnection(*address, timeout=PATIENCE))

    def api(self) -> closing[RouteApi]:
        """Return a new connection to the REST API, closed by `with`."""
        return closing(RouteApi(self.setup.api_port))


def ask_port(connection: http.client.HTTPConnection, path: str) -> int:
    """Return the port of the server that answered, 0 when none did."""
    connection.request("GET", path)
    with connection.getresponse() as answer:
        answer.read()
        return int(answer.headers.get("X-Port", "0"))


def command_of(system: System, setup: Setup, cores: str) -> list[str]:
    """Return the command that runs the proxy on these cores, as taskset names them."""
    return ["taskset", "-c", cores, *system.command(setup)]


def environment() -> dict[str, str]:
    """Return what the proxy is started with."""
    return {**os.environ, "CONFIGPROXY_AUTH_TOKEN": _TOKEN}


@contextmanager
def running(system: System, setup: Setup, cores: str, trust: ssl.SSLContext | None) -> Iterator[Running]:
    """Start the proxy on these cores, yield it once all routes are served, and end it.

    Raises Failed with the end of its log when it does not serve them.
    """
    log = setup.directory / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command_of(system, setup, cores),
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    proxy = Running(system, setup, process.pid, trust)
    try:
        try:
            _set_routes(proxy)
        except (OSError, TooLate, Failed) as error:
            raise Failed(f"{system.title} does not start: {error}\n{log.read_text()[-2000:]}") from error
        yield proxy
    finally:
        processes.end(processes.tree(process.pid))
        process.wait()


def _set_routes(proxy: Running) -> None:
    if proxy.system.has_api:
        with proxy.api() as api:
            until(api.is_up, "the REST API to answer")
            for path, port in proxy.setup.routes().items():
                api.add(path, port)
    last = proxy.setup.users - 1

    def is_served() -> bool:
        with suppress(ConnectionRefusedError), proxy.connect() as connection:
            return ask_port(connection, f"/user/user-{last}/api") == proxy.setup.port_of(last)
        return False

    until(is_served, "the last route to be served")


@contextmanager
def upstream(count: int) -> Iterator[tuple[int, ...]]:
    """Run the servers behind in a process of their own; yield their ports."""
    command = [sys.executable, "-m", "bench.proxy.upstream", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield tuple(map(int, process.stdout.readline().split()))
        finally:
            process.terminate()
