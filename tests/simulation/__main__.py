"""Simulating on the command line: `make sim SEEDS=1000`, `make sim REPLAY=7`, `make sim REPLAY=FILE.json`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.simulation.database import Template, open_template
from tests.simulation.farm import Work, Yield, harvest
from tests.simulation.plan import Plan, draw_plan, draw_profile, read_plan
from tests.simulation.planted import FAULTS
from tests.simulation.run import Outcome, play
from tests.simulation.shrink import shrink

_SERVERS = 3


def main(words: Sequence[str] | None = None) -> int:
    """Play what the command line says; return 1 when something is wrong with the hub."""
    arguments = _parser().parse_args(words)
    with open_template(_SERVERS) as template:
        if arguments.replay:
            return _replay(arguments, template)
        if arguments.digests:
            return _print_digests(arguments, template)
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        return _play_all(Work(seeds, arguments.hubs, arguments.planted, template), arguments.workers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them")
    parser.add_argument("--hubs", type=int, default=0, help="how many hubs there are; else 1 to 3, as drawn")
    parser.add_argument("--planted", default="", choices=("", *FAULTS), help="a fault to put into the hub")
    parser.add_argument("--workers", type=int, help="how many processes; as many as there are cores")
    parser.add_argument(
        "--digests", action="store_true", help="print what identifies each run, and nothing else"
    )
    parser.add_argument(
        "--replay", default="", metavar="SEED|FILE", help="play one seed or stored plan, and tell"
    )
    parser.add_argument(
        "--shrink", action="store_true", help="look for a short plan that fails in the same way"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE", help="store the plan")
    return parser


def _replay(arguments: argparse.Namespace, template: Template) -> int:
    if arguments.replay.isdecimal():
        seed = int(arguments.replay)
        plan = draw_plan(seed, draw_profile(seed, arguments.hubs))
    else:
        plan = replace(read_plan(Path(arguments.replay)), planted="")
    plan = replace(plan, planted=arguments.planted)
    if arguments.shrink:
        plan = shrink(plan, template)
    if arguments.keep:
        arguments.keep.write_text(plan.to_json())
    outcome = play(plan, template, keeps_trace=True)
    print(*outcome.trace, "", *(item.text() for item in plan.items), "", sep="\n")
    print(outcome.violation or "nothing is wrong")
    print(f"{outcome.steps} steps, {outcome.seconds:.0f} virtual seconds, digest {outcome.digest}")
    return int(outcome.violation is not None)


def _print_digests(arguments: argparse.Namespace, template: Template) -> int:
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        print(seed, play(draw_plan(seed, draw_profile(seed, arguments.hubs)), template).digest)
    return 0


def _play_all(work: Work, workers: int | None) -> int:
    begun = time.monotonic()
    brought: list[Yield] = []
    for part in harvest(work, workers):
        brought.append(part)
        for outcome in part.failed:
            print(f"{outcome.violation}\n    {_command(outcome.plan)}", flush=True)
    seeds, cpu = sum(part.seeds for part in brought), sum(part.cpu for part in brought)
    failed = [outcome for part in brought for outcome in part.failed]
    print(
        f"{seeds} seeds in {time.monotonic() - begun:.0f} s, {seeds / cpu:.1f} a CPU second; {_count(failed)}"
    )
    return int(bool(failed))


def _count(failed: Sequence[Outcome]) -> str:
    if not failed:
        return "nothing is wrong"
    kinds = sorted({outcome.violation.kind for outcome in failed if outcome.violation})
    return f"{len(failed)} failed: {', '.join(kinds)}"


def _command(plan: Plan) -> str:
    """Return what replays a plan that was drawn from its seed."""
    words = [f"--hubs {plan.profile.hubs}"] if plan.profile != draw_profile(plan.seed) else []
    words += [f"--planted '{plan.planted}'"] if plan.planted else []
    return f"make sim REPLAY={plan.seed}" + (f' ARGS="{" ".join(words)}"' if words else "")


if __name__ == "__main__":
    raise SystemExit(main())
