"""No seed finds anything wrong with the life of servers, and every planted fault is found."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rigs.places import ROOT
from tests.simulation.database import Template
from tests.simulation.farm import hunt
from tests.simulation.plan import Plan, Profile, draw_plan, draw_profile, read_plan
from tests.simulation.planted import FAULTS, hubs_for
from tests.simulation.run import play
from tests.simulation.shrink import shrink

PLANS = Path(__file__).parent / "plans"
STORED = sorted(PLANS.glob("*.json"))
#: Where the tests' seeds begin; people begin at 1.
BASE = 1_000_000
#: Where hunts for planted faults begin; some faults show in one of 150 seeds alone.
HUNTED = BASE + 1_000
SHIFT = 50
#: Long enough for the longest hunt on a busy machine, in seconds.
SLOW = 600
#: In how many seeds a planted fault must be found.
PATIENCE = 800


def check(plan: Plan, template: Template) -> None:
    outcome = play(plan, template)
    words = "" if plan.profile == draw_profile(plan.seed) else f' ARGS="--hubs {plan.profile.hubs}"'
    assert outcome.violation is None, f"{outcome.violation}\nreplay it: make sim REPLAY={plan.seed}{words}"


def test_a_few_seeds(template: Template) -> None:
    for seed in range(BASE, BASE + 20):
        check(draw_plan(seed), template)


@pytest.mark.seeds
@pytest.mark.timeout(SLOW)
@pytest.mark.parametrize("begin", range(BASE + SHIFT, BASE + SHIFT + 300, SHIFT))
def test_many_seeds(template: Template, begin: int) -> None:
    for seed in range(begin, begin + SHIFT):
        check(draw_plan(seed), template)


def test_seeds_have_one_to_three_hubs_on_one_or_two_machines() -> None:
    profiles = [draw_profile(seed) for seed in range(BASE, BASE + 300)]
    assert {profile.hubs for profile in profiles} == {1, 2, 3}
    assert {profile.nodes for profile in profiles if profile.hubs == 1} == {1}
    assert {profile.nodes for profile in profiles if profile.hubs == 3} == {1, 2}


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_what_was_found_once_is_right_now(template: Template, path: Path) -> None:
    check(replace(read_plan(path), planted=""), template)


@pytest.mark.seeds
@pytest.mark.timeout(SLOW)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(template: Template, fault: str) -> None:
    count, outcome = hunt(fault, hubs_for(fault), range(HUNTED, HUNTED + PATIENCE), template)
    assert outcome is not None, f"{count} seeds do not find it"
    print(f"{fault}: {outcome.violation and outcome.violation.kind} after {count} seeds")


def test_watching_a_run_does_not_change_it(template: Template) -> None:
    plan = draw_plan(BASE)
    watched = play(plan, template, keeps_trace=True)
    assert watched.digest == play(plan, template).digest
    assert len(watched.trace) > 20


def test_a_plan_is_the_same_after_it_was_stored(template: Template, tmp_path: Path) -> None:
    plan = draw_plan(BASE, Profile(hubs=2, nodes=2))
    (tmp_path / "plan.json").write_text(plan.to_json())
    assert read_plan(tmp_path / "plan.json") == plan


def test_a_plan_that_fails_is_shrunk_to_what_it_takes(template: Template) -> None:
    fault = "nothing is taken over"
    _, outcome = hunt(fault, 1, range(BASE, BASE + PATIENCE), template)
    assert outcome is not None
    assert outcome.violation is not None
    small = shrink(outcome.plan, template)
    again = play(small, template)
    assert again.violation is not None
    assert again.violation.kind == outcome.violation.kind
    # Who asks until it goes wrong, and what goes wrong: the rest of the plan had nothing to do with it.
    assert len(small.items) <= 6 < len(outcome.plan.items)


@pytest.mark.real
def test_a_seed_is_the_same_run_in_every_process() -> None:
    digests = {_digests(hash_seed) for hash_seed in ("1", "2")}
    assert len(digests) == 1
    assert len(digests.pop().splitlines()) == 15


def _digests(hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--digests", "--seeds", "15", "--first", str(BASE)]
    environ = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
