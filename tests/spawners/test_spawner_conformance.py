from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from carrel.lib.control_groups.limits import Limits
from carrel.lib.control_groups.machine import lacking, probe
from carrel.lib.process_table import environ_of, look, running
from carrel.spawners.base import Spawner
from carrel.spawners.environment import HUB_LABEL
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.run import make_spawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from carrel.spawners.warm import WarmStarts
from carrel.testing.conformance.spawner import LAST_WORDS, Case, SpawnerConformance
from carrel.testing.fakes import FakeWorld, Script
from tests.rigs.needs import need
from tests.spawners.rig import Rig, hub_view, run_of

_MODES = {Case.HEALTHY: "serve", Case.DYING: "die"}


class _Processes(SpawnerConformance):
    spawner_class: type[LocalProcessSpawner]
    rig: Rig

    @pytest.fixture(autouse=True)
    def _place(self, rig: Rig) -> None:
        self.rig = rig

    def settings(self) -> dict[str, Any]:
        return {}

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        settings = self.settings()
        if case is Case.BROKEN:
            settings["cmd"] = ["no-such-program"]
        return self.rig.spawner(self.spawner_class, _MODES.get(case, ""), state, **settings)

    def leftovers(self) -> list[str]:
        mine = hub_view().hub_id
        return [str(pid) for pid in running() if environ_of(pid).get(HUB_LABEL) == mine]


@pytest.mark.real
class TestLocalProcess(_Processes):
    spawner_class = LocalProcessSpawner


@pytest.mark.real
class TestLocalProcessWithLimits(_Processes):
    spawner_class = LocalProcessSpawner

    def settings(self) -> dict[str, Any]:
        limits = {"mem_limit": "256M", "cpu_limit": 1, "pids_limit": 50}
        need(not lacking(probe(), Limits(memory=1, cpu=1, pids=1)), "control groups for a test")
        return limits


@pytest.mark.real
class TestSimple(_Processes):
    spawner_class = SimpleLocalProcessSpawner

    def settings(self) -> dict[str, Any]:
        return {"home_dir_template": str(self.rig.logs.parent / "homes" / "{username}")}

    async def test_its_home_is_made(self) -> None:
        async with self.started():
            homes = self.rig.logs.parent / "homes"
            assert os.listdir(homes) == [self.rig.account]


@pytest.mark.real
class TestWarm(_Processes):
    """The same rules for servers that are forked from a template, with the rights of their owner."""

    spawner_class = LocalProcessSpawner

    @pytest.fixture(autouse=True)
    def _templates(self, warm_starts: WarmStarts) -> None:
        self.warm_starts = warm_starts

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        command = ["no-such-program"] if case is Case.BROKEN else [self.rig.script(), _MODES[case]]
        settings: dict[str, Any] = {"cmd": command, "warm_starts": self.warm_starts} | self.settings()
        return self.rig.spawner(self.spawner_class, "", state, **settings)

    async def test_it_is_no_child_of_ours(self) -> None:
        async with self.started() as driver:
            assert isinstance(driver, LocalProcessSpawner)
            seen = look(driver.pid)
            assert seen is not None
            assert seen.parent != os.getpid()
            assert "carrel-warmstart" in Path(f"/proc/{seen.parent}/cmdline").read_text()


@pytest.mark.real
class TestWarmWithOwnRights(TestWarm):
    spawner_class = SimpleLocalProcessSpawner

    def settings(self) -> dict[str, Any]:
        return {"home_dir_template": str(self.rig.logs.parent / "homes" / "{username}")}


class TestFake(SpawnerConformance):
    @pytest.fixture(autouse=True)
    def _world(self) -> None:
        self.world = FakeWorld()

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        self.world.script = {
            Case.HEALTHY: Script(),
            Case.BROKEN: Script(start_error=RuntimeError("no")),
            Case.DYING: Script(exit_status=3, log=LAST_WORDS),
        }[case]
        return make_spawner(self.world.spawner_class(), run_of(state=state or {}), Config())

    def leftovers(self) -> list[str]:
        return [str(key) for key in self.world.alive()]
