"""Run the hubs in turn and print one table: `python -m bench [--quick] [--only NAME]`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from bench import measures, table
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.places import ROOT
from tests.rigs.singleusers import PASSWORD, STUB
from tests.rigs.systems import CHP, JUPYTERHUB, System, carrel, free_port, jupyterhub

PLUGINS = ROOT / "bench" / "plugins"


def main() -> int:
    arguments = parse()
    systems = [system for system in available() if arguments.only in {None, system.name}]
    if not systems:
        print("nothing to measure", file=sys.stderr)
        return 1
    rounds = 1 if arguments.quick else 3
    starts = 1 if arguments.quick else 5
    amounts = measures.Amounts(300, 10, 5, 20) if arguments.quick else measures.Amounts()
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    found: dict[str, list[measures.Figures]] = {system.name: [] for system in systems}
    with stub() as port:
        for number in range(starts):
            for system in systems:
                print(f"{system.name}: round {number + 1} of {starts}", file=sys.stderr, flush=True)
                equipped = equip(system, port)
                found[system.name].append(measure(equipped, amounts if number < rounds else None, number))
                if number < rounds:
                    found[system.name].append(measure_full(equipped, port))
    print(f"\n{machine}; medians, the hubs one at a time in turn\n")
    print(table.render(found))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Carrel beside JupyterHub.")
    parser.add_argument(
        "--quick", action="store_true", help="one short round: to see that it works, not to compare"
    )
    parser.add_argument("--only", choices=["carrel", "jupyterhub"], help="measure one of the two")
    return parser.parse_args()


def available() -> list[System]:
    """Return the hubs that can run here; the reason for each that cannot is printed."""
    missing = [str(path) for path in (JUPYTERHUB / "bin" / "jupyterhub", CHP) if not path.exists()]
    systems = []
    if find_spec("carrel.__main__"):
        systems.append(carrel())
    else:
        print("carrel: left out, it is not installed in this environment", file=sys.stderr)
    if missing:
        print(f"jupyterhub: left out, not installed: {', '.join(missing)}", file=sys.stderr)
    else:
        systems.append(jupyterhub())
    return systems


def equip(system: System, port: int) -> System:
    """Return the system with the no-process spawner on its path."""
    own = [os.environ["PYTHONPATH"]] if system.is_carrel and os.environ.get("PYTHONPATH") else []
    path = os.pathsep.join(
        [str(PLUGINS), *(str(Path(entry).resolve()) for part in own for entry in part.split(os.pathsep))]
    )
    # What people install is compiled; a checkout is from its first start on, unless that is forbidden.
    ours = {"PYTHONPATH": path, "BENCH_STUB_PORT": str(port), "PYTHONDONTWRITEBYTECODE": ""}
    return replace(system, environment={**system.environment, **ours})


def measure(system: System, amounts: measures.Amounts | None, number: int) -> measures.Figures:
    """Return the figures of one fresh hub; without `amounts` those of its start alone."""
    directory = Path(tempfile.mkdtemp(prefix=f"bench-{system.name}-"))
    hub = HubProcess(system, directory, measures.config(directory))
    try:
        figures = measures.start_up(hub)
        if amounts:
            hub.visitor().log_in("admin", PASSWORD, "/hub/home")
            token = hub.token("admin")
            figures |= measures.memory(hub)
            figures |= measures.get_user(hub, token, amounts)
            figures |= measures.servers(hub, token, amounts, number)
            figures |= measures.many_at_once(hub, token, amounts, number)
            figures |= measures.log_in(hub, amounts)
        return figures
    finally:
        hub.clean_up()
        shutil.rmtree(directory, ignore_errors=True)


def measure_full(system: System, port: int) -> measures.Figures:
    """Return how long a hub takes to start that has been in use."""
    directory = Path(tempfile.mkdtemp(prefix=f"bench-{system.name}-"))
    hub = HubProcess(system, directory, measures.config(directory))
    try:
        return measures.start_up_full(hub, port)
    finally:
        hub.clean_up()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def stub() -> Iterator[int]:
    """Yield the port of a server that answers in the place of every user's."""
    port = free_port()
    process = subprocess.Popen([*STUB, str(port)])
    try:
        yield port
    finally:
        processes.end([process.pid])
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
