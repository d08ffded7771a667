"""`python -m tests.chaos --kills 1000 [--seed 7] [--sockets 500]`: kill, then print what came of it."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from tests.chaos.containers import containers
from tests.chaos.jobs import jobs
from tests.chaos.plan import Plan
from tests.chaos.run import Chaos
from tests.chaos.site import Site
from tests.chaos.templates import templates

_SITES: dict[str, Callable[[], AbstractContextManager[Site]]] = {
    "processes": lambda: nullcontext(Site()),
    "templates": lambda: nullcontext(templates()),
    "docker": containers,
    "slurm": jobs,
}


def main() -> int:
    """Return 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill a hub and its data plane."
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--directory", type=Path, help="where to work; kept, so that the log can be read")
    parser.add_argument("--site", choices=[*_SITES], default="processes")
    parser.add_argument("--keepers", type=int, default=10, help="servers that nobody stops")
    parser.add_argument("--tempo", type=float, default=1.0, help="how many times longer pauses are")
    wanted = parser.parse_args()
    plan = Plan(wanted.kills, wanted.seed, wanted.users, wanted.sockets, wanted.keepers, wanted.tempo)
    print(f"seed {plan.seed}", flush=True)
    with ExitStack() as stack:
        site = stack.enter_context(_SITES[wanted.site]())
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="carrel-chaos-"))
        verdict = asyncio.run(Chaos(plan, wanted.directory or Path(directory), site).run())
    print(verdict.table())
    complaints = verdict.complaints()
    print("\n".join(complaints) or "nothing was lost, doubled or orphaned")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
