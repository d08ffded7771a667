"""The rules for all drivers, on a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from carrel.spawners.base import Spawner
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.testing.conformance.spawner import Case, SpawnerConformance
from tests.rigs.docker_engine import Engine
from tests.spawners.docker.rig import configuration, shared, spawner_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
_MODES = {Case.HEALTHY: "serve", Case.DYING: "die"}


class TestContainer(SpawnerConformance):
    @pytest.fixture(autouse=True)
    async def _place(self, clean: Engine) -> AsyncIterator[None]:
        self.engine = clean
        async with shared() as held:
            self.shared = held
            yield

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        # What the engine has not even started is removed without `remove`, too.
        settings: dict[str, Any] = {"remove": case is not Case.BROKEN}
        if case is Case.BROKEN:
            settings |= {"cmd": ["no-such-program"], "extra_host_config": {}}
        config = configuration(self.engine, _MODES.get(case, ""), **settings)
        return spawner_of(DockerSpawner, config, self.shared, state=state or {})

    def leftovers(self) -> list[str]:
        return self.engine.containers()
