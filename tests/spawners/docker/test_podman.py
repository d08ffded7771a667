"""Podman by its Docker API: the rules for all drivers.

They run where somebody has installed Podman; it is not to be installed beside Docker's engine for good.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from carrel.spawners.base import Spawner
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.testing.conformance.spawner import Case, SpawnerConformance
from tests.rigs.docker_engine import Engine
from tests.rigs.podman_engine import IMAGE, podman_engine
from tests.spawners.docker.rig import configuration, shared, spawner_of

if shutil.which("podman") is None:
    pytest.skip("Podman is not installed", allow_module_level=True)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
_MODES = {Case.HEALTHY: "serve", Case.DYING: "die"}


@pytest.fixture(scope="module")
def podman() -> Iterator[Engine]:
    with podman_engine() as socket:
        yield Engine(socket, "127.0.0.1")


class TestPodman(SpawnerConformance):
    @pytest.fixture(autouse=True)
    async def _place(self, podman: Engine) -> AsyncIterator[None]:
        self.engine = podman
        async with shared() as held:
            self.shared = held
            yield
            left = self.make()
            assert isinstance(left, DockerSpawner)
            await left.delete_forever()

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        settings: dict[str, Any] = {"cmd": ["no-such-program"]} if case is Case.BROKEN else {}
        config = configuration(
            self.engine,
            _MODES.get(case, ""),
            image=IMAGE,
            network_name="host",
            port=0,
            extra_host_config={},
            **settings,
        )
        return spawner_of(DockerSpawner, config, self.shared, state=state or {})
