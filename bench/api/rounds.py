"""One round of one hub: its start, its memory, then each errand by one client and by many."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import measures
from bench.api.cases import Case, World
from bench.api.client import drive
from bench.api.worlds import Prepared
from bench.measures import Figures
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.systems import System


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much work one round does."""

    seconds: float = 2.0
    """For each case, at each number of clients."""
    warm_up: float = 0.5
    rounds: int = 3


QUICK = Amounts(seconds=0.3, warm_up=0.1, rounds=1)


def key_of(case: Case, at_once: int, what: str) -> str:
    """Return the name of a figure: `cpu` (seconds for one errand), `rate`, `p50` or `p99` (seconds)."""
    return f"{case.name}/{at_once}/{what}"


def measure_empty(system: System) -> Figures:
    """Return start-up and memory of a hub with an empty database."""
    with _hub(system) as hub:
        found = measures.start_up(hub) | measures.memory(hub)
    return {f"empty/{name}": value for name, value in found.items()}


def measure_full(
    prepared: Prepared, port: int, cases: Iterable[Case], clients: Sequence[int], amounts: Amounts
) -> Figures:
    """Return start-up and memory of a hub that has been in use, and what each case takes."""
    with _hub(prepared.system) as hub:
        prepared.copy_to(hub.directory, port)
        return measure_started(hub, prepared.world, cases, clients, amounts)


def measure_started(
    hub: HubProcess, world: World, cases: Iterable[Case], clients: Sequence[int], amounts: Amounts
) -> Figures:
    """Start a hub whose database is filled; return start-up, memory before and after, and the cases."""
    found = measures.start_up(hub) | measures.memory(hub)
    for case in cases:
        for at_once in clients:
            found |= _measure_case(hub, world, case, at_once, amounts)
    found["memory_after"] = float(processes.pss(hub.pid))
    return {name if "/" in name else f"full/{name}": value for name, value in found.items()}


def _measure_case(hub: HubProcess, world: World, case: Case, at_once: int, amounts: Amounts) -> Figures:
    port = hub.ports.public if case.public else hub.ports.hub
    errand = case.errand(world)
    drive(port, errand, at_once=at_once, seconds=amounts.warm_up, seed=1)
    before = processes.cpu_seconds(hub.pid)
    load = drive(port, errand, at_once=at_once, seconds=amounts.seconds, seed=2)
    used = processes.cpu_seconds(hub.pid) - before
    hundredths = statistics.quantiles(load.taken * 2, n=100)
    values = {
        "cpu": used / len(load.taken),
        "rate": len(load.taken) / load.seconds,
        "p50": hundredths[49],
        "p99": hundredths[98],
    }
    return {key_of(case, at_once, what): value for what, value in values.items()}


@contextmanager
def _hub(system: System) -> Iterator[HubProcess]:
    directory = Path(tempfile.mkdtemp(prefix=f"bench-{system.name}-"))
    hub = HubProcess(system, directory, measures.config(directory))
    try:
        yield hub
    finally:
        hub.clean_up()
        shutil.rmtree(directory, ignore_errors=True)
