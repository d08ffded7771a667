"""The order of a run: memory, one proxy at a time; then all run and take turns, load by load, in rounds."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from itertools import product
from pathlib import Path

from bench.proxy import loads, websockets
from bench.proxy.loads import USERS, Amounts
from bench.proxy.restart import restart
from bench.proxy.running import Failed, Running, running, upstream
from bench.proxy.systems import Setup, System
from tests.dataplane.authority import Authority
from tests.rigs.systems import free_port

#: Ports behind the routes.
_SERVERS = 8
#: What a measurement raises that cannot be done: its figure is left out and the run goes on.
FAILURES = (Failed, OSError, HTTPException, subprocess.TimeoutExpired)


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of work."""

    name: str
    users: int
    run: Callable[[Running, Amounts], float]
    with_tls: bool = True
    needs_api: bool = False
    needs_storage: bool = False

    def suits(self, proxy: Running) -> bool:
        """Return whether this is measured of that proxy."""
        return (
            proxy.setup.users == self.users
            and (self.with_tls or not proxy.trust)
            and (proxy.system.has_api or not self.needs_api)
            and (proxy.system.keeps_routes or not self.needs_storage)
        )


LOADS = (
    Load("get", 1, loads.get),
    Load("get", USERS, loads.get),
    Load("websocket", USERS, websockets.websocket),
    Load("download", USERS, loads.download),
    Load("upload", USERS, loads.upload),
    Load("add-route", USERS, loads.add_route, with_tls=False, needs_api=True),
    Load("restart", USERS, restart, with_tls=False, needs_storage=True),
)
#: Once, with no other proxy running: pages that two processes share would count half.
MEMORY = Load("memory", USERS, websockets.memory, with_tls=False)
TRANSPORTS = ("http", "https")


@dataclass(frozen=True, slots=True)
class Key:
    """Which figure of a proxy: the load, over which transport, with how many routes."""

    load: str
    transport: str
    users: int


@dataclass(slots=True)
class Found:
    """What was measured: each figure round by round, None where it failed, and why it failed."""

    figures: dict[tuple[str, Key], list[float | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of(self, system: str, key: Key) -> list[float | None]:
        """Return a proxy's figures round by round; empty when they were not asked for."""
        return self.figures.get((system, key), [])

    def measure(self, load: Load, proxy: Running, amounts: Amounts) -> None:
        """Add one figure, or a note when it cannot be had."""
        what = f"{proxy.transport} {load.name} ({load.users}), {proxy.system.name}"
        figure = None
        try:
            figure = load.run(proxy, amounts)
        except FAILURES as error:
            self.notes.append(f"{what}: {type(error).__name__} {error}")
        print(f"{what}: {'failed' if figure is None else format(figure, '.3g')}", file=sys.stderr, flush=True)
        key = Key(load.name, proxy.transport, load.users)
        self.figures.setdefault((proxy.system.name, key), []).append(figure)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run measures: names of loads and transports, and the proxies."""

    systems: tuple[System, ...]
    loads: frozenset[str]
    transports: tuple[str, ...]
    amounts: Amounts

    def turns(self) -> list[Load]:
        """Return the loads that the proxies take turns at."""
        return [load for load in LOADS if load.name in self.loads]


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts proxies on their core, each in a directory of its own."""

    directory: Path
    servers: tuple[int, ...]
    core: int
    authority: Authority

    def start(self, system: System, transport: str, users: int) -> AbstractContextManager[Running]:
        """Return the running proxy, which ends with `with`."""
        name = f"{system.name}-{transport}-{users}"
        own = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))
        certificate = self.authority.sign(name) if transport == "https" else None
        setup = Setup(own, free_port(), free_port(), self.servers, users, certificate)
        return running(system, setup, str(self.core), self.authority.visitor() if certificate else None)


def measure(plan: Plan) -> Found:
    """Run the plan; raises Failed when a proxy does not start."""
    found = Found()
    proxy_core, own_core = _cores()
    _allow_many_descriptors()
    with (
        _pinned(own_core),
        tempfile.TemporaryDirectory(prefix="bench-proxy-") as directory,
        upstream(_SERVERS) as servers,
    ):
        starter = Starter(Path(directory), servers, proxy_core, Authority(Path(directory)))
        if MEMORY.name in plan.loads and "http" in plan.transports:
            _measure_memory(plan, starter, found)
        _take_turns(plan, starter, found)
    return found


def _measure_memory(plan: Plan, starter: Starter, found: Found) -> None:
    for system in plan.systems:
        with starter.start(system, "http", USERS) as proxy:
            _warm_up(proxy, LOADS, replace(plan.amounts, warm_up=plan.amounts.warm_up / 10))
            found.measure(MEMORY, proxy, plan.amounts)


def _take_turns(plan: Plan, starter: Starter, found: Found) -> None:
    turns = plan.turns()
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(starter.start(system, transport, users))
            for transport in plan.transports
            for users in sorted({load.users for load in turns})
            for system in plan.systems
        ]
        for proxy in proxies:
            _warm_up(proxy, turns, plan.amounts)
        for _ in range(plan.amounts.rounds_before):
            _take_round(plan, proxies, Found())
        for number in range(plan.amounts.rounds):
            print(f"round {number + 1} of {plan.amounts.rounds}", file=sys.stderr, flush=True)
            _take_round(plan, proxies, found)


def _take_round(plan: Plan, proxies: Sequence[Running], found: Found) -> None:
    for transport, load in product(plan.transports, plan.turns()):
        for proxy in proxies:
            if proxy.transport == transport and load.suits(proxy):
                found.measure(load, proxy, plan.amounts)


def _warm_up(proxy: Running, turns: Iterable[Load], amounts: Amounts) -> None:
    seconds = math.ceil(proxy.system.warm_seconds * amounts.warm_up)
    some = replace(amounts, get_seconds=seconds, large_bodies=1, added_routes=20, restarts=1)
    for load in turns:
        if load.suits(proxy):
            # What fails here fails again when it is measured, and is told then.
            with suppress(*FAILURES):
                load.run(proxy, some)


def _cores() -> tuple[int, int]:
    """Return the core of the proxies and that of the clients and the servers behind."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[min(1, len(cores) - 1)]


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _allow_many_descriptors() -> None:
    """Let this process and those that it starts hold as many connections as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
