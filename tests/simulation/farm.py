"""Many seeds at once, on all cores."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.simulation.database import Template
from tests.simulation.plan import draw_plan, draw_profile
from tests.simulation.run import Outcome, play

#: How many seeds a worker plays before it makes room for a fresh one: killed hubs leave garbage behind.
_SHIFT = 50


@dataclass(frozen=True, slots=True)
class Work:
    """Some seeds, and how to play them."""

    seeds: Sequence[int]
    hubs: int
    """How many share the database; 0 leaves it to each seed."""
    planted: str
    template: Template


@dataclass(frozen=True, slots=True)
class Yield:
    """What some seeds have brought in: the runs that failed, and the CPU seconds that all have taken."""

    seeds: int
    failed: tuple[Outcome, ...]
    cpu: float


def harvest(work: Work, workers: int | None = None) -> Iterator[Yield]:
    """Play all seeds of `work` and yield what comes in, in any order."""
    shifts = [
        replace(work, seeds=work.seeds[begin : begin + _SHIFT]) for begin in range(0, len(work.seeds), _SHIFT)
    ]
    context = multiprocessing.get_context("fork")
    with context.Pool(workers or os.cpu_count(), maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_shift, shifts)


def _shift(work: Work) -> Yield:
    begun = time.process_time()
    outcomes = [
        play(replace(draw_plan(seed, draw_profile(seed, work.hubs)), planted=work.planted), work.template)
        for seed in work.seeds
    ]
    failed = tuple(outcome for outcome in outcomes if outcome.violation is not None)
    return Yield(len(work.seeds), failed, time.process_time() - begun)


def hunt(planted: str, hubs: int, seeds: Sequence[int], template: Template) -> tuple[int, Outcome | None]:
    """Play seeds with a planted fault until one finds it; return how many it took, and the run that did."""
    for count, seed in enumerate(seeds, 1):
        outcome = play(replace(draw_plan(seed, draw_profile(seed, hubs)), planted=planted), template)
        if outcome.violation is not None:
            return count, outcome
    return len(seeds), None
