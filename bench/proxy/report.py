"""The page: which bars carrel-proxy meets, and every figure, as Markdown."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.proxy.loads import USERS
from bench.proxy.rounds import TRANSPORTS, Found, Key
from bench.proxy.systems import System
from bench.table import share

OURS = "carrel"


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of figure and how it is printed: in `unit`, which is `scale` times what was measured."""

    load: str
    users: int
    title: str
    unit: str
    scale: float
    digits: int

    def shown(self, value: float) -> str:
        """Return the value without its unit."""
        return f"{value * self.scale:.{self.digits}f}"


MEASURES = (
    Measure("get", 1, "GET, 1 route", "CPU s/10k", 1e4, 2),
    Measure("get", USERS, f"GET, {USERS:,} routes", "CPU s/10k", 1e4, 2),
    Measure("websocket", USERS, "websocket round trip", "CPU s/10k", 1e4, 2),
    Measure("download", USERS, "download of 100 MB", "CPU s/GB", 1e9, 2),
    Measure("upload", USERS, "upload of 100 MB", "CPU s/GB", 1e9, 2),
    Measure("add-route", USERS, "route added until served, p99", "ms", 1e3, 1),
    Measure("restart", USERS, "back with all routes after kill -9", "ms", 1e3, 0),
    Measure("memory", USERS, f"memory with {USERS:,} routes and websockets, PSS", "MB", 1e-6, 1),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """What carrel-proxy is to reach: at most `limit`, as a share of another proxy's figure or in the unit."""

    transport: str
    load: str
    users: int
    limit: float
    #: The other proxy, and the number of routes of its figure; None when the limit is absolute.
    other: tuple[str, int] | None = None


BARS = (
    Bar("http", "get", 1, 1 / 5, ("chp", 1)),
    Bar("http", "get", 1, 1.6, ("nginx", 1)),
    Bar("http", "get", USERS, 1 / 5, ("chp", 1)),
    Bar("http", "get", USERS, 1.6, ("nginx", USERS)),
    Bar("http", "websocket", USERS, 1 / 2, ("chp", USERS)),
    Bar("http", "download", USERS, 1, ("nginx", USERS)),
    Bar("http", "upload", USERS, 1, ("nginx", USERS)),
    Bar("http", "add-route", USERS, 5),
    Bar("http", "restart", USERS, 300),
    Bar("http", "memory", USERS, 60),
    Bar("https", "get", 1, 1 / 5, ("chp", 1)),
    Bar("https", "get", USERS, 1 / 5, ("chp", 1)),
    Bar("https", "websocket", USERS, 1 / 2, ("chp", USERS)),
    Bar("https", "download", USERS, 1, ("chp", USERS)),
    Bar("https", "upload", USERS, 1, ("chp", USERS)),
)


def render(found: Found, systems: Iterable[System], *, quick: bool) -> str:
    """Return the page."""
    today = datetime.datetime.now().astimezone().date()
    titles = {system.name: system.title for system in systems}
    versions = ", ".join(f"{system.title} {system.version()}" for system in systems)
    warning = (
        ["One short round: it shows that the benchmark works, its figures are no use.", ""] if quick else []
    )
    return "\n".join(
        [
            "# carrel-proxy beside other proxies",
            f"By `make bench-proxy` on {today}; bench/README.md says how.",
            f"{_machine()}. {versions}.",
            "",
            *warning,
            "## Bars",
            "",
            *_bars(found, titles),
            "",
            "## Figures",
            "Medians of the rounds, with the lowest and the highest.",
            "",
            *_figures(found, titles),
            *(["", "## Not measured", *(f"- {note}" for note in found.notes)] if found.notes else []),
            "",
        ]
    )


def _bars(found: Found, titles: dict[str, str]) -> list[str]:
    lines = _header("", "carrel-proxy", "beside", "ratio", "bar", "")
    for bar in BARS:
        measure = measure_of(bar.load, bar.users)
        ours = found.of(OURS, Key(bar.load, bar.transport, bar.users))
        if not ours:
            continue
        limit = share(bar.limit, 0) if bar.limit < 1 else f"{bar.limit:g}"
        cells = [
            f"{bar.transport}: {measure.title}, {measure.unit}",
            _median(measure, ours),
            "",
            "",
            f"at most {limit}",
        ]
        if bar.other is None:
            values = [value * measure.scale for value in ours if value is not None]
        else:
            name, users = bar.other
            others = found.of(name, Key(bar.load, bar.transport, users))
            values = ratios(ours, others)
            routes = "" if users == bar.users else f", {users} route{'s' * (users > 1)}"
            cells[2] = f"{_median(measure, others)} {titles.get(name, name)}{routes}"
            cells[3] = _ratio(values, bar.limit)
        lines.append(_line(*cells, verdict(values, bar.limit)))
    return lines


def _figures(found: Found, titles: dict[str, str]) -> list[str]:
    lines = _header("", "unit", *titles.values())
    for transport in TRANSPORTS:
        for measure in MEASURES:
            key = Key(measure.load, transport, measure.users)
            values = [found.of(name, key) for name in titles]
            if any(values):
                cells = (_spread(measure, some) for some in values)
                lines.append(_line(f"{transport}: {measure.title}", measure.unit, *cells))
    return lines


def ratios(ours: Sequence[float | None], others: Sequence[float | None]) -> list[float]:
    """Return our figure as a share of the other's, for each round in which both were measured."""
    return [one / other for one, other in zip(ours, others, strict=False) if one is not None and other]


def verdict(values: Sequence[float], limit: float) -> str:
    """Return whether the median of the values is within the limit."""
    if not values:
        return "not measured"
    return "met" if statistics.median(values) <= limit else "MISSED"


def measure_of(load: str, users: int) -> Measure:
    """Return how a figure is printed."""
    return next(measure for measure in MEASURES if (measure.load, measure.users) == (load, users))


def _ratio(values: list[float], limit: float) -> str:
    if not values:
        return "-"
    median = statistics.median(values)
    return share(median, 2) if limit < 1 else f"{median:.2f}"


def _median(measure: Measure, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return measure.shown(statistics.median(known)) if known else "-"


def _spread(measure: Measure, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return _median(measure, known)
    return f"{_median(measure, known)} ({measure.shown(min(known))}–{measure.shown(max(known))})"


def _header(*cells: str) -> list[str]:
    return [_line(*cells), _line(*("-" * 3 for _ in cells))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
