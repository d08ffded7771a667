"""What is measured of one hub: seconds by the clock, CPU seconds and memory from /proc."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import at_once, probing
from bench.population import populate
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much work one round does."""

    requests: int = 3000
    servers: int = 60
    log_ins: int = 40
    crowd: int = 100


def start_up(hub: HubProcess) -> Figures:
    """Start the hub; return seconds to the first 200 through the proxy, and CPU seconds until then."""
    begin = time.perf_counter()
    hub.launch()
    until(hub.answers, f"{hub.system.name} to answer: {hub.log[-2000:]}", timeout=90, every=0.02)
    seconds = time.perf_counter() - begin
    return {
        "start_wall": seconds,
        "start_cpu": processes.cpu_seconds(hub.pid),
        "start_cpu_all": sum(map(processes.cpu_seconds, hub.belongings())),
    }


def memory(hub: HubProcess) -> Figures:
    """Return the proportional set size of the hub's process alone, in bytes."""
    return {"memory": float(processes.pss(hub.pid))}


def get_user(hub: HubProcess, token: str, amounts: Amounts) -> Figures:
    """Return the hub's CPU seconds for one `GET /hub/api/user` on a kept connection, and the rate."""
    with connection(hub) as ask:
        for _ in range(amounts.requests // 10):
            ask("GET", "/hub/api/user", token)
        before, begin = processes.cpu_seconds(hub.pid), time.perf_counter()
        for _ in range(amounts.requests):
            assert ask("GET", "/hub/api/user", token) == 200
        seconds, used = time.perf_counter() - begin, processes.cpu_seconds(hub.pid) - before
    return {"user_cpu": used / amounts.requests, "user_rate": amounts.requests / seconds}


def servers(hub: HubProcess, token: str, amounts: Amounts, round_number: int) -> Figures:
    """Start and stop servers that are no processes, one by one; return seconds and CPU seconds for one."""
    names = [f"pupil-{round_number}-{number}" for number in range(amounts.servers)]
    with connection(hub) as ask:
        assert ask("POST", "/hub/api/users", token, {"usernames": names}) == 201
        start = timed(hub, names, lambda name: settle(hub, ask, "POST", name, token))
        stop = timed(hub, names, lambda name: settle(hub, ask, "DELETE", name, token))
    return {"spawn_wall": start[0], "spawn_cpu": start[1], "stop_cpu": stop[1]}


def many_at_once(hub: HubProcess, token: str, amounts: Amounts, round_number: int) -> Figures:
    """Start and stop servers that are no processes, many at once, with a probe beside them.

    The first starts, fifty of them, say how fast they are; a hundred say how long others wait meanwhile.
    """
    names = [f"crowd-{round_number}-{number}" for number in range(amounts.crowd)]
    paths = [f"/hub/api/users/{name}/server" for name in names]
    with connection(hub) as ask:
        assert ask("POST", "/hub/api/users", token, {"usernames": names}) == 201
    few = amounts.crowd // 2
    before, begin = processes.cpu_seconds(hub.pid), time.perf_counter()
    _all(hub, "POST", token, paths[:few])
    seconds, used = time.perf_counter() - begin, processes.cpu_seconds(hub.pid) - before
    before = processes.cpu_seconds(hub.pid)
    _all(hub, "DELETE", token, paths[:few])
    stopped = processes.cpu_seconds(hub.pid) - before
    with probing(hub.ports.hub) as taken:
        _all(hub, "POST", token, paths)
        _all(hub, "DELETE", token, paths)
    return {
        "burst_rate": few / seconds,
        "burst_cpu": used / few,
        "burst_stop_cpu": stopped / few,
        "probe_p99": statistics.quantiles(taken, n=100)[98],
    }


def _all(hub: HubProcess, method: str, token: str, paths: list[str]) -> None:
    """Ask for all of it at once, and wait for those that were only accepted."""
    for path, status in zip(paths, at_once(hub.ports.hub, token, method, paths), strict=True):
        assert status in {201, 202, 204}, f"{method} {path}: {status}\n{hub.log[-2000:]}"
        if status == 202:
            hub.wait_server(path.split("/")[4], token, running=method == "POST")


def start_up_full(hub: HubProcess, port: int) -> Figures:
    """Start a hub that has been in use; return seconds to the first 200, and CPU seconds until then."""
    hub.start()
    hub.terminate(timeout=60)
    for proxy in hub.proxies():
        processes.end([proxy])
    populate(hub.system, hub.directory, port)
    figures = start_up(hub)
    return {"full_wall": figures["start_wall"], "full_cpu": figures["start_cpu"]}


def log_in(hub: HubProcess, amounts: Amounts) -> Figures:
    """Return the hub's CPU seconds for one log-in: the form, its answer and the home page behind it."""

    def sign_in(_: str) -> None:
        visitor = hub.visitor()
        reply = visitor.log_in("admin", PASSWORD, "/hub/home")
        assert visitor.follow(reply.location).status == 200

    sign_in("")
    return {"log_in_cpu": timed(hub, [""] * amounts.log_ins, sign_in)[1]}


Ask = Callable[..., int]


@contextmanager
def connection(hub: HubProcess) -> Iterator[Ask]:
    """Yield a function that asks the hub's own port over one kept connection and returns the status."""
    kept = http.client.HTTPConnection("127.0.0.1", hub.ports.hub, timeout=60)

    def ask(method: str, path: str, token: str, body: object = None) -> int:
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        kept.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        with kept.getresponse() as reply:
            reply.read()
            return reply.status

    try:
        yield ask
    finally:
        kept.close()


def settle(hub: HubProcess, ask: Ask, method: str, name: str, token: str) -> None:
    """Start (POST) or stop (DELETE) a server and return when that is done."""
    status = ask(method, f"/hub/api/users/{name}/server", token)
    assert status in {201, 202, 204}, f"{method} server: {status}\n{hub.log[-2000:]}"
    if status == 202:
        hub.wait_server(name, token, running=method == "POST")


def timed(hub: HubProcess, items: list[str], work: Callable[[str], None]) -> tuple[float, float]:
    """Return the median seconds and the mean CPU seconds of the hub for one of the items."""
    before, walls = processes.cpu_seconds(hub.pid), []
    for item in items:
        begin = time.perf_counter()
        work(item)
        walls.append(time.perf_counter() - begin)
    return statistics.median(walls), (processes.cpu_seconds(hub.pid) - before) / len(items)


def config(directory: Path) -> str:
    """Return the configuration that both hubs run with."""
    directory.mkdir(parents=True, exist_ok=True)
    return f"""
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{'admin'}}
c.JupyterHub.spawner_class = 'no_process.NoProcessSpawner'
c.JupyterHub.log_level = 'WARN'
"""
