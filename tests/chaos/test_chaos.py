"""Sixty kills; `make chaos N=1000` does the same on a larger scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.containers import containers
from tests.chaos.jobs import jobs
from tests.chaos.plan import Plan, Target
from tests.chaos.run import Chaos
from tests.chaos.templates import templates

SEED = 20
KILLS = 60


def test_a_plan_is_told_by_its_seed() -> None:
    kills = list(Plan(KILLS, SEED).sequence())
    assert kills == list(Plan(KILLS, SEED).sequence())
    assert kills != list(Plan(KILLS, SEED + 1).sequence())
    first, second = kills[: KILLS // 2], kills[KILLS // 2 :]
    assert {kill.target for kill in first} == {Target.HUB}
    assert {kill.target for kill in second} == set(Target)


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_nothing_is_lost_doubled_or_orphaned(tmp_path: Path) -> None:
    verdict = await Chaos(Plan(KILLS, SEED), tmp_path).run()
    print(verdict.table())
    assert verdict.complaints() == []


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_nor_are_servers_of_a_template(tmp_path: Path) -> None:
    verdict = await Chaos(Plan(12, SEED, users=20, sockets=10, keepers=3), tmp_path, templates()).run()
    print(verdict.table())
    assert verdict.complaints() == []


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_nor_are_containers(tmp_path: Path) -> None:
    # An engine takes half a second of two cores for each start: few people, who are impatient.
    plan = Plan(kills=8, seed=SEED, users=4, sockets=2, keepers=1, tempo=4.0)
    with containers() as site:
        verdict = await Chaos(plan, tmp_path, site).run()
    print(verdict.table())
    assert verdict.complaints() == []


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_nor_are_jobs(tmp_path: Path) -> None:
    plan = Plan(kills=8, seed=SEED, users=4, sockets=2, keepers=1, tempo=4.0)
    with jobs() as site:
        verdict = await Chaos(plan, tmp_path, site).run()
    print(verdict.table())
    assert verdict.complaints() == []
