"""How soon a data plane that was killed serves all its routes again, with no hub there."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.proxy.loads import Amounts
from bench.proxy.running import Failed, Running, ask_port, command_of, environment, running
from tests.rigs import processes
from tests.rigs.poll import until
from tests.rigs.systems import free_port

_PATIENCE = 10.0


def restart(proxy: Running, amounts: Amounts) -> float:
    """Return the median of the seconds from a start after `kill -9` until every route is served.

    The restarted proxy is another one of the same kind, and may use all cores. Raises Failed.
    """
    cores = f"0-{(os.cpu_count() or 1) - 1}"
    with TemporaryDirectory(dir=proxy.setup.directory) as name:
        directory = Path(name)
        setup = replace(
            proxy.setup,
            directory=directory,
            port=free_port(),
            api_port=free_port(),
            storage=directory / "routes",
        )
        with running(proxy.system, setup, cores, None) as first:
            _kill(first.pid)
            return statistics.median(_start_and_kill(first, cores) for _ in range(amounts.restarts))


def _start_and_kill(first: Running, cores: str) -> float:
    begin = time.perf_counter()
    with subprocess.Popen(
        command_of(first.system, first.setup, cores),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            return _wait(first, process, begin) - begin
        finally:
            _kill(process.pid)


def _kill(pid: int) -> None:
    """Kill the main process, and return when its workers are gone: none may be taken for a new one."""
    members = processes.tree(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(processes.is_alive, members)), "every process to be gone")


def _wait(first: Running, process: subprocess.Popen[bytes], begin: float) -> float:
    """Return when the last route was served; all are, since they are there before the port is served."""
    users = first.setup.users
    while not _serves(first, users - 1):
        if time.perf_counter() - begin > _PATIENCE or process.poll() is not None:
            raise Failed("it is not back after a restart")
        time.sleep(0.002)  # a port that opens in another process is found by asking again
    end = time.perf_counter()
    if not all(_serves(first, user) for user in range(0, users, max(1, users // 100))):
        raise Failed("some routes are not back after a restart")
    return end


def _serves(proxy: Running, user: int) -> bool:
    with suppress(OSError), proxy.connect() as connection:
        return ask_port(connection, f"/user/user-{user}/api") == proxy.setup.port_of(user)
    return False
