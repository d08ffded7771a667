"""Starts in containers: Carrel's own driver, and one dockerspawner under Carrel and under JupyterHub.

`python -m bench.docker_starts [ROUNDS]` prints one table. It needs what `make plug-ins` installs, and root.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.plugins.environment import ENVIRONMENT, carrel_with_plugins
from tests.rigs import processes
from tests.rigs.docker_engine import IMAGE, Engine, docker_engine
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systems import CHP, System, carrel

CONFIG = """
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'docker'
c.JupyterHub.hub_ip = {address!r}
c.DockerSpawner.image = {image!r}
c.DockerSpawner.remove = True
c.DockerSpawner.extra_host_config = {{'init': True}}
"""


def systems(engine: Engine) -> Iterator[System]:
    """Yield what is compared, dockerspawner in the plug-ins' own environment."""
    own = carrel()
    with_plugins = replace(carrel_with_plugins(), config="")
    proxy = f"c.ConfigurableHTTPProxy.command = [{str(CHP)!r}]"
    program = (str(ENVIRONMENT / "bin" / "jupyterhub"),)
    path = {"PATH": with_plugins.environment["PATH"]}
    jupyterhub = System("jupyterhub 6.1", program, proxy, path, is_carrel=False)
    drivers = (
        replace(own, name="carrel, own driver"),
        replace(with_plugins, name="carrel, dockerspawner"),
        replace(jupyterhub, name="jupyterhub 6.1, dockerspawner"),
    )
    for system in drivers:
        yield replace(system, environment={**system.environment, "DOCKER_HOST": engine.socket})


def measure(engine: Engine, system: System, rounds: int) -> tuple[float, float, float]:
    """Return seconds from POST to ready, and the hub's CPU seconds of a start and of a stop; medians."""
    starts, start_cpu, stop_cpu = [], [], []
    config = CONFIG.format(password=PASSWORD, address=engine.address, image=IMAGE)
    with tempfile.TemporaryDirectory() as place, HubProcess(system, Path(place), config) as hub:
        hub.visitor().log_in("ada", PASSWORD)
        token = hub.token("ada")
        for _ in range(rounds):
            used, begin = processes.cpu_seconds(hub.pid), time.perf_counter()
            hub.api("POST", "users/ada/server", token=token)
            hub.wait_server("ada", token)
            starts.append(time.perf_counter() - begin)
            start_cpu.append(processes.cpu_seconds(hub.pid) - used)
            used = processes.cpu_seconds(hub.pid)
            hub.api("DELETE", "users/ada/server", token=token)
            hub.wait_server("ada", token, running=False)
            stop_cpu.append(processes.cpu_seconds(hub.pid) - used)
        engine.clear()
    return statistics.median(starts), statistics.median(start_cpu), statistics.median(stop_cpu)


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| hub | POST to ready, s | hub's CPU for a start, ms | for a stop, ms |\n|---|---|---|---|")
    with docker_engine() as engine:
        for system in systems(engine):
            seconds, start, stop = measure(engine, system, rounds)
            print(f"| {system.name} | {seconds:.2f} | {start * 1000:.0f} | {stop * 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main()
