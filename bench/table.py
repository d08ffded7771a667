"""The one table that `make bench` prints."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.measures import Figures


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it is, how it is printed, and which share of JupyterHub's is the target."""

    key: str
    title: str
    unit: str
    scale: float
    digits: int
    target: float | None = None


ROWS = (
    Row("start_wall", "start-up to the first answer", "s", 1, 2, target=1 / 4),
    Row("start_cpu", "start-up, CPU of the hub", "s", 1, 2, target=1 / 4),
    Row("start_cpu_all", "start-up, CPU of hub and proxy", "s", 1, 2),
    Row("full_wall", "start-up, 10k users, 1k running", "s", 1, 2),
    Row("full_cpu", "... CPU of the hub", "s", 1, 2),
    Row("memory", "memory of the hub (PSS)", "MiB", 1 / 2**20, 1),
    Row("user_cpu", "GET /hub/api/user, CPU of the hub", "µs", 1e6, 0, target=1 / 5),
    Row("user_rate", "GET /hub/api/user, one client", "1/s", 1, 0),
    Row("spawn_wall", "POST server to ready, no process", "ms", 1e3, 1),
    Row("spawn_cpu", "... CPU of the hub", "ms", 1e3, 1),
    Row("stop_cpu", "DELETE server, CPU of the hub", "ms", 1e3, 1),
    Row("burst_rate", "50 starts at once, no process", "1/s", 1, 0),
    Row("burst_cpu", "... CPU of the hub for one", "ms", 1e3, 1),
    Row("burst_stop_cpu", "50 stops at once, CPU for one", "ms", 1e3, 1),
    Row("probe_p99", "GET /hub/api/ beside 100, p99", "ms", 1e3, 0),
    Row("log_in_cpu", "form log-in, CPU of the hub", "ms", 1e3, 1),
)


def render(found: dict[str, list[Figures]]) -> str:
    """Return the table: each hub's median over its rounds, their ratio, the target and whether it is met."""
    names = list(found)
    lines = [_line("", *names, *(["ratio", "target", ""] if len(names) == 2 else []))]
    lines.append("-" * len(lines[0]))
    for row in ROWS:
        medians = [_median(found[name], row.key) for name in names]
        cells = [
            "-" if value is None else f"{value * row.scale:,.{row.digits}f} {row.unit}" for value in medians
        ]
        if len(medians) == 2 and medians[0] is not None and medians[1]:
            cells += _verdict(row, medians[0] / medians[1])
        lines.append(_line(row.title, *cells).rstrip())
    return "\n".join(lines)


def share(ratio: float, digits: int = 1) -> str:
    """Return a ratio below 1 as a fraction, 1/6.2, and any other as a number."""
    return f"1/{1 / ratio:.{digits}f}" if 0 < ratio < 1 else f"{ratio:.{digits}f}"


def _verdict(row: Row, ratio: float) -> list[str]:
    shown = share(ratio)
    if row.target is None:
        return [shown]
    return [shown, f"<= {share(row.target, 0)}", "met" if ratio <= row.target else "NOT MET"]


def _median(rounds: list[Figures], key: str) -> float | None:
    values = [figures[key] for figures in rounds if key in figures]
    return statistics.median(values) if values else None


def _line(title: str, *cells: str) -> str:
    return f"{title:<34}" + "".join(f"{cell:>14}" for cell in cells)
