"""Measure the proxies and print a page: `python -m bench.proxy [--quick] [--only NAME ...] [--write FILE]`"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from bench.proxy import report
from bench.proxy.loads import QUICK, Amounts
from bench.proxy.rounds import LOADS, MEMORY, TRANSPORTS, Plan, measure
from bench.proxy.running import Failed
from bench.proxy.systems import System, all_systems

_SYSTEMS = tuple(system.name for system in all_systems())
_LOADS = tuple(dict.fromkeys(load.name for load in (*LOADS, MEMORY)))


def main() -> int:
    """Return the exit status: 0 when everything asked for was measured, whatever the bars."""
    given = parse()
    plan, left_out = make_plan(all_systems(given.workers), given.only, QUICK if given.quick else Amounts())
    for reason in left_out:
        print(reason, file=sys.stderr)
    try:
        found = measure(plan)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    failed = bool(found.notes)
    found.notes[:0] = left_out
    page = report.render(found, plan.systems, quick=given.quick)
    print(page)
    if given.write:
        given.write.write_text(page, encoding="utf-8")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="bench.proxy", description="Measure carrel-proxy beside other proxies, in six to eight minutes."
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round: to see that it works, not to compare"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=(*_SYSTEMS, *_LOADS, *TRANSPORTS),
        default=[],
        help=f"measure only these: of the proxies {', '.join(_SYSTEMS)}; of the loads {', '.join(_LOADS)}; "
        f"of {' and '.join(TRANSPORTS)}. A kind of which none is named is measured whole",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes of carrel-proxy that forward (default: 1)"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file too")
    return parser.parse_args()


def make_plan(systems: Iterable[System], only: Collection[str], amounts: Amounts) -> tuple[Plan, list[str]]:
    """Return what of all that is asked for can be measured, and a line for each thing that cannot."""
    chosen = [system for system in systems if system.name in _chosen(_SYSTEMS, only)]
    loads = frozenset(_chosen(_LOADS, only))
    left_out = [
        f"{system.title}: {system.missing()} is not installed" for system in chosen if system.missing()
    ]
    if "get" in loads and not shutil.which("wrk"):
        left_out.append("get: wrk is not installed")
        loads -= {"get"}
    present = tuple(system for system in chosen if not system.missing())
    return Plan(present, loads, _chosen(TRANSPORTS, only), amounts), left_out


def _chosen(kind: tuple[str, ...], only: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in kind if name in only) or kind


if __name__ == "__main__":
    sys.exit(main())
