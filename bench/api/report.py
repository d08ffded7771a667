"""The page: the hub's CPU beside JupyterHub's, with the budgets, and the figures with 100,000 users."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.api.cases import CASES, Case
from bench.api.rounds import key_of
from bench.measures import Figures
from bench.table import share

_MB = 1e-6


@dataclass(frozen=True, slots=True)
class Plain:
    """A figure that no case is about, with its budget in its unit."""

    key: str
    title: str
    unit: str
    scale: float
    digits: int
    budget: float | None = None


BESIDE = (
    Plain("empty/start_wall", "start-up, empty", "s", 1, 2, budget=1),
    Plain("empty/start_cpu", "... CPU of the hub", "s", 1, 2),
    Plain("full/start_wall", "start-up, 10,000 users, 1,000 running", "s", 1, 2, budget=1.5),
    Plain("full/start_cpu", "... CPU of the hub", "s", 1, 2),
    Plain("empty/memory", "memory, empty", "MiB", 2**-20, 0, budget=70),
    Plain("full/memory", "memory, 10,000 users, 1,000 running", "MiB", 2**-20, 0, budget=90),
    Plain("full/memory_after", "... after all that is below", "MiB", 2**-20, 0),
)
LARGE = (
    Plain("full/start_wall", "start-up", "s", 1, 2, budget=2),
    Plain("full/start_cpu", "... CPU of the hub", "s", 1, 2),
    Plain("full/memory", "memory after the start", "MB", _MB, 0, budget=200),
    Plain("full/memory_after", "memory after all that is below", "MB", _MB, 0, budget=200),
)
#: With 100,000 users: log-ins a second at least, and milliseconds of the hub's CPU for each at most.
LOG_INS, LOG_IN_CPU = 50, 20


@dataclass(slots=True)
class Found:
    """The figures of each hub, round by round."""

    beside: dict[str, list[Figures]] = field(default_factory=dict)
    large: dict[str, list[Figures]] = field(default_factory=dict)
    """With 100,000 users, by database."""
    clients: tuple[int, ...] = (1, 32)
    many: int = 8
    """How many clients there are at once with 100,000 users."""
    quick: bool = False

    @property
    def rounds(self) -> int:
        """The number of rounds, which is the same for each hub."""
        return max(map(len, (*self.beside.values(), *self.large.values())), default=0)


def render(found: Found) -> str:
    """Return the page as Markdown."""
    lines = [
        "# The speed of the API",
        f"By `make bench-api` on {datetime.datetime.now().astimezone().date()}; bench/README.md says how.",
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}. "
        f"{found.rounds} round{'s' * (found.rounds != 1)} of each, the hubs in turn; medians.",
    ]
    if found.quick:
        lines += ["", "One short round: it shows that the benchmark works, its figures are no use."]
    if found.beside:
        lines += ["", "## Beside JupyterHub 6.1.1, with 10,000 users", *_beside(found)]
    for database, rounds in found.large.items():
        lines += ["", f"## 100,000 users, 5,000 running servers, {database}", *_large(found, rounds)]
    return "\n".join([*lines, ""])


def _beside(found: Found) -> list[str]:
    systems = list(found.beside)
    rows = []
    for plain in BESIDE:
        medians = [_median(found.beside[name], plain.key, plain.scale) for name in systems]
        rows.append(_row(f"{plain.title}, {plain.unit}", systems, medians, plain.digits, plain.budget))
    for case in CASES:
        for at_once in found.clients:
            key = key_of(case, at_once, "cpu")
            medians = [_median(found.beside[name], key, 1e3) for name in systems]
            rows.append(_row(f"{case.title}; {at_once} at once, ms", systems, medians, 2, case.budget))
    lines = _table(["", *systems, "ratio", "budget", ""], filter(None, rows))
    lines += ["", "Where no other unit stands, a figure is the hub's CPU for one. By the clock:", ""]
    return lines + _clock(found.beside, found.clients)


def _row(
    title: str, systems: Sequence[str], medians: Sequence[float | None], digits: int, budget: float | None
) -> list[str] | None:
    by_name = dict(zip(systems, medians, strict=True))
    ours, theirs = by_name.get("carrel"), by_name.get("jupyterhub")
    if ours is None and theirs is None:
        return None
    cells = ["-" if value is None else f"{value:,.{digits}f}" for value in medians]
    ratio = share(ours / theirs) if ours is not None and theirs else ""
    return [title, *cells, ratio, *_verdict(ours, budget)]


def _clock(rounds: dict[str, list[Figures]], clients: Sequence[int]) -> list[str]:
    rows = []
    for case in CASES:
        for at_once in clients:
            cells = [_times(some, case, at_once) for some in rounds.values()]
            if any(cells):
                rows.append([f"{case.title}; {at_once} at once", *cells])
    return _table(["p50 / p99 in ms, number a second", *rounds], rows)


def _times(rounds: Iterable[Figures], case: Case, at_once: int) -> str:
    some = list(rounds)
    p50, p99 = (_median(some, key_of(case, at_once, what), 1e3) for what in ("p50", "p99"))
    rate = _median(some, key_of(case, at_once, "rate"), 1)
    return "" if p50 is None or p99 is None or rate is None else f"{p50:.1f} / {p99:.1f}, {rate:,.0f}"


def _large(found: Found, rounds: list[Figures]) -> list[str]:
    rows = []
    for plain in LARGE:
        value = _median(rounds, plain.key, plain.scale)
        if value is not None:
            cell = f"{value:,.{plain.digits}f}"
            rows.append([f"{plain.title}, {plain.unit}", cell, *_verdict(value, plain.budget)])
    for case in CASES:
        cpu = _median(rounds, key_of(case, found.many, "cpu"), 1e3)
        p99 = _median(rounds, key_of(case, found.many, "p99"), 1e3)
        rate = _median(rounds, key_of(case, found.many, "rate"), 1)
        if cpu is None or p99 is None or rate is None:
            continue
        title = f"{case.title}; {found.many} at once"
        if case.name == "log-in":
            rows.append([f"{title}, ms of CPU", f"{cpu:.2f}", *_verdict(cpu, LOG_IN_CPU)])
            rows.append([f"{title}, number a second", f"{rate:.0f}", *_verdict(rate, LOG_INS, least=True)])
        else:
            rows.append([f"{title}, ms of CPU", f"{cpu:.2f}", "", ""])
            rows.append(["... p99, ms", f"{p99:.1f}", *_verdict(p99, case.slowest)])
    return _table(["", "carrel", "budget", ""], rows)


def _verdict(value: float | None, budget: float | None, *, least: bool = False) -> list[str]:
    """Return the budget and whether it is met."""
    if budget is None:
        return ["", ""]
    if value is None:
        return [f"{budget:g}", "not measured"]
    met = value >= budget if least else value <= budget
    return [f"at {'least' if least else 'most'} {budget:g}", "met" if met else "MISSED"]


def _median(rounds: Iterable[Figures], key: str, scale: float) -> float | None:
    values = [figures[key] * scale for figures in rounds if key in figures]
    return statistics.median(values) if values else None


def _table(head: list[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
