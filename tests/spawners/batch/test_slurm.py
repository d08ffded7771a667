"""Slurm as it is: jobs that run as their owner, wait, are cancelled, fail, and are found again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from carrel.spawners.base import Spawner
from carrel.spawners.batch.slurm import SlurmSpawner
from carrel.spawners.views import HubView
from carrel.testing.conformance.spawner import Case
from tests.rigs.slurm import Slurm
from tests.spawners.batch.rig import BatchConformance, make_driver
from tests.spawners.rig import hub_view

pytestmark = [pytest.mark.real, pytest.mark.timeout(90)]


@pytest.fixture
def view(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> HubView:
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    return hub_view()


class TestSlurm(BatchConformance):
    @pytest.fixture(autouse=True)
    def _place(self, account: str, view: HubView, slurm: Slurm) -> None:
        self.account, self.view, self.slurm = account, view, slurm
        self.die = slurm.configuration.parent / "die"

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        partition = "nowhere" if case is Case.BROKEN else "debug"
        return make_driver(
            SlurmSpawner, self.account, self.view, case, state, self.die, req_partition=partition
        )

    def leftovers(self) -> list[str]:
        return list(self.slurm.jobs(self.account))
