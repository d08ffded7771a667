"""Measure the API and print a page: `python -m bench.api [--quick] [--only NAME ...] [--write FILE]`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.__main__ import available, equip, stub
from bench.api import large, report, rounds
from bench.api.cases import CASES, Case
from bench.api.report import Found
from bench.api.worlds import prepare
from bench.population import Size
from tests.rigs.systems import System

_SYSTEMS = ("carrel", "jupyterhub")
_SIZES = ("10k", "100k")


def main() -> int:
    """Return the exit status: 0 when everything asked for was measured, whatever the budgets."""
    given = parse()
    systems = [system for system in available() if system.name in _chosen(_SYSTEMS, given.only)]
    names = _chosen(tuple(case.name for case in CASES), given.only)
    cases = [case for case in CASES if case.name in names]
    amounts = rounds.QUICK if given.quick else rounds.Amounts()
    found = Found(quick=given.quick)
    place = Path(tempfile.mkdtemp(prefix="bench-api-"))
    try:
        with stub() as port:
            equipped = [equip(system, port) for system in systems]
            sizes = _chosen(_SIZES, given.only)
            if "10k" in sizes:
                measure_beside(found, equipped, cases, place, port, amounts)
            if "100k" in sizes:
                ours = [system for system in equipped if system.is_carrel]
                found.large = large.measure(ours, cases, place, port, amounts, given.postgres)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    page = report.render(found)
    print(page)
    if given.write:
        given.write.write_text(page, encoding="utf-8")
    return 0


def parse() -> argparse.Namespace:
    """Return the command line."""
    kinds = (_SYSTEMS, _SIZES, tuple(case.name for case in CASES))
    parser = argparse.ArgumentParser(
        prog="bench.api", description="Measure the REST API of Carrel beside JupyterHub's."
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round: to see that it works, not to compare"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[name for kind in kinds for name in kind],
        default=[],
        help="measure only these: "
        + "; ".join(f"of {', '.join(kind)}" for kind in kinds)
        + ". A kind of which none is named is measured whole",
    )
    parser.add_argument("--postgres", action="store_true", help="100,000 users on PostgreSQL, too")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file too")
    return parser.parse_args()


def measure_beside(
    found: Found,
    systems: Sequence[System],
    cases: Sequence[Case],
    place: Path,
    port: int,
    amounts: rounds.Amounts,
) -> None:
    """Measure the hubs in turn, each with 10,000 users."""
    prepared = []
    for system in systems:
        print(f"{system.name}: making 10,000 users", file=sys.stderr, flush=True)
        prepared.append(prepare(system, Size(), place, port))
    for number in range(amounts.rounds):
        for one in prepared:
            name = one.system.name
            print(f"{name}: round {number + 1} of {amounts.rounds}", file=sys.stderr, flush=True)
            figures = rounds.measure_empty(one.system)
            figures |= rounds.measure_full(one, port, cases, found.clients, amounts)
            found.beside.setdefault(name, []).append(figures)


def _chosen(kind: tuple[str, ...], only: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in kind if name in only) or kind


if __name__ == "__main__":
    sys.exit(main())
