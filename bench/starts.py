"""Starts of real single-user servers with JupyterLab, under Carrel and under JupyterHub, and what they take.

`python -m bench.starts [--quick] [--only NAME]` prints one table. Every hub starts the single-user program of
its own environment, with the same version of JupyterLab, as the account that runs the benchmark.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import CARREL, JUPYTERHUB_6, PASSWORD, Singleuser, class_config
from tests.rigs.systems import CHP, JUPYTERHUB, System, carrel, jupyterhub

_LOOK = 0.02
_LOOK_AT_ALL = 0.2
_PATIENT = "c.Spawner.start_timeout = c.Spawner.http_timeout = 900\n"
_COLD = "c.LocalProcessSpawner.warm_start = False\n"
_LIMIT = 900.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A hub, and the program that it starts."""

    name: str
    system: System
    program: Singleuser
    config: str = ""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is done."""

    singles: int = 16
    crowd: int = 32
    watched: tuple[int, ...] = (1, 4, 16)


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured of one contestant: seconds, CPU seconds and megabytes."""

    seconds: list[float]
    cpu: list[float]
    memory: dict[int, float]
    shared: float
    crowd_median: float
    crowd_last: float


def contestants() -> list[Contestant]:
    """Return those that can run here; who is left out is said."""
    found = [
        Contestant("Carrel, warm", carrel(), CARREL),
        Contestant("Carrel, cold", carrel(), CARREL, _COLD),
    ]
    if (JUPYTERHUB / "bin" / "jupyterhub").exists() and CHP.exists():
        found.insert(1, Contestant("Carrel, warm, jupyterhub-singleuser", carrel(), JUPYTERHUB_6))
        found.append(Contestant("JupyterHub 6.1.1", jupyterhub(), JUPYTERHUB_6))
    else:
        print("JupyterHub is left out: it is not installed", file=sys.stderr)
    return found


def measure(contestant: Contestant, amounts: Amounts) -> Result:
    """Run one hub and start servers, first one after the other, then many at once."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        config = class_config(place, contestant.program.command()) + _PATIENT + contestant.config
        system = replace(contestant.system, name=contestant.name)
        with HubProcess(system, place, config) as hub:
            hub.visitor().log_in("admin", PASSWORD)
            token = hub.token("admin")
            return _measure(hub, token, amounts)


def _measure(hub: HubProcess, token: str, amounts: Amounts) -> Result:
    seconds, cpu, memory = [], [], {}
    names = [f"pupil{number}" for number in range(amounts.singles + 1)]
    _make_users(hub, token, names)
    # The first one waits for what is made once: the template, or the disk's cache.
    _start(hub, token, names[0])
    hub.stop_server(names[0], token)
    for number, user in enumerate(names[1:], 1):
        seconds.append(_start(hub, token, user))
        (pid,) = {pid for pid in _leaders(hub) if processes.environment(pid).get("JUPYTERHUB_USER") == user}
        cpu.append(processes.cpu_seconds(pid))
        if number in amounts.watched:
            _settle(hub)
            memory[number] = statistics.mean(processes.pss(pid) for pid in _leaders(hub)) / 1e6
    shared = sum(map(processes.pss, hub.templates())) / 1e6
    _stop_all(hub, token, names[1:])
    crowd = [f"crowd{number}" for number in range(amounts.crowd)]
    _make_users(hub, token, crowd)
    took = _all_at_once(hub, token, crowd)
    return Result(seconds, cpu, memory, shared, statistics.median(took), max(took))


def _make_users(hub: HubProcess, token: str, names: Sequence[str]) -> None:
    for name in names:
        assert hub.api("POST", f"users/{name}", token=token).status == 201


def _start(hub: HubProcess, token: str, user: str) -> float:
    """Return the seconds from the POST to the first 200 of the server's own API, through the proxy."""
    return _all_at_once(hub, token, [user], _LOOK)[0]


def _all_at_once(
    hub: HubProcess, token: str, users: Sequence[str], every: float = _LOOK_AT_ALL
) -> list[float]:
    """Ask for servers all at once; return after how many seconds each was served through the proxy."""
    took: dict[str, float] = {}
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(users)) as pool:
        asked = [pool.submit(hub.api, "POST", f"users/{user}/server", token=token) for user in users]
        while len(took) < len(users):
            for user in users:
                if user not in took and _is_served(hub, user):
                    took[user] = time.perf_counter() - begin
            assert time.perf_counter() - begin < _LIMIT, hub.log[-4000:]
            if all(reply.done() for reply in asked):
                lost = [user for user in users if user not in took and _has_failed(hub, token, user)]
                asked += [pool.submit(hub.api, "POST", f"users/{user}/server", token=token) for user in lost]
            time.sleep(every)
    if len(asked) > len(users):
        print(f"{len(asked) - len(users)} starts failed and were repeated", file=sys.stderr)
    return list(took.values())


def _is_served(hub: HubProcess, user: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", hub.ports.public, timeout=60)
    try:
        connection.request("GET", f"/user/{user}/api")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _has_failed(hub: HubProcess, token: str, user: str) -> bool:
    """Tell whether a start came to nothing: on a busy machine somebody else may take its port first."""
    return not hub.api("GET", f"users/{user}", token=token).json()["servers"]


def _leaders(hub: HubProcess) -> list[int]:
    """Return the servers themselves, without what they have started."""
    return [pid for pid in hub.servers() if _leads(pid)]


def _leads(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _settle(hub: HubProcess) -> None:
    """Return when no server has helpers running, which they do at their start."""
    until(lambda: len(hub.servers()) == len(_leaders(hub)), "helpers of servers to end", every=0.2)


def _stop_all(hub: HubProcess, token: str, names: Sequence[str]) -> None:
    for name in names:
        hub.stop_server(name, token)


def render(found: Sequence[tuple[str, Result]]) -> str:
    """Return the table, with the ratios to JupyterHub where it ran."""
    lines = [
        "| | POST to served, s (median, least-most) | CPU s of a server | PSS of a server with 1, 4, 16, MB "
        "| template's PSS, MB | 32 at once: median, last, s |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in found:
        middle, least, most = statistics.median(result.seconds), min(result.seconds), max(result.seconds)
        memory = ", ".join(f"{value:.1f}" for value in result.memory.values())
        lines.append(
            f"| {name} | {middle:.2f} ({least:.2f}-{most:.2f}) | {statistics.median(result.cpu):.2f} "
            f"| {memory} | {result.shared:.1f} | {result.crowd_median:.1f}, {result.crowd_last:.1f} |"
        )
    return "\n".join([*lines, "", *_bars(found)])


def _bars(found: Sequence[tuple[str, Result]]) -> list[str]:
    """Return what was promised, beside what came of it."""
    (_, warm), (name, other) = found[0], found[-1]
    seconds, theirs = statistics.median(warm.seconds), statistics.median(other.seconds)
    fullest = max(warm.memory)
    return [
        f"Beside {name}:",
        f"- start: {seconds:.2f} s (bar 0.4), 1/{theirs / seconds:.1f} of its {theirs:.2f} s (bar 1/12)",
        f"- CPU of a server at its start: 1/{statistics.median(other.cpu) / statistics.median(warm.cpu):.1f}",
        f"- PSS with {fullest}: {warm.memory[fullest]:.1f} MB (bar 34), "
        f"1/{other.memory[fullest] / warm.memory[fullest]:.1f} (bar 1/3)",
        f"- all at once, the last: {warm.crowd_last:.1f} s, 1/{other.crowd_last / warm.crowd_last:.1f} of"
        f" its {other.crowd_last:.1f} s (bar 1/8)",
    ]


def versions() -> str:
    """Return which JupyterLab each environment has."""
    code = "import importlib.metadata as m; print(m.version('jupyterlab'), m.version('jupyter_server'))"
    pythons = {"Carrel's": Path(sys.executable), "JupyterHub's": JUPYTERHUB / "bin" / "python"}
    found = [
        f"{name} environment has {subprocess.check_output([path, '-c', code], text=True).strip()}"
        for name, path in pythons.items()
        if path.exists()
    ]
    return f"JupyterLab and Jupyter Server: {'; '.join(found)}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.starts", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few servers: to see that it works")
    parser.add_argument("--only", nargs="*", help="measure those whose names hold one of these words")
    chosen = parser.parse_args()
    amounts = Amounts(2, 4, (1, 2)) if chosen.quick else Amounts()
    found = []
    for one in contestants():
        if chosen.only and not any(word in one.name for word in chosen.only):
            continue
        print(f"{one.name} …", file=sys.stderr, flush=True)
        found.append((one.name, measure(one, amounts)))
    print(f"{os.cpu_count()} cores. {versions()}\n\n{render(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
