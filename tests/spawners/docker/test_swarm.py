"""Services of a real swarm of one machine, by the rules for all drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from carrel.spawners.base import Spawner
from carrel.spawners.docker.swarm import SwarmSpawner
from carrel.spawners.errors import StartError
from carrel.testing.conformance.spawner import Case, SpawnerConformance
from tests.rigs.docker_engine import Engine
from tests.rigs.systems import free_port
from tests.spawners.docker.rig import configuration, shared, spawner_of
from tests.spawners.rig import report_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
_MODES = {Case.HEALTHY: "serve", Case.DYING: "die"}


@pytest.fixture(scope="module")
def swarm(engine: Engine) -> Iterator[Engine]:
    engine.run("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield engine
    engine.run("swarm", "leave", "--force")


def published(engine: Engine, mode: str = "serve", **settings: Any) -> Any:
    """Return settings for a port of this machine: a mesh over several would need rules of the firewall."""
    config = configuration(engine, mode)
    port = {"TargetPort": 8888, "PublishedPort": free_port(), "PublishMode": "host", "Protocol": "tcp"}
    config.SwarmSpawner.use_internal_ip = False
    config.SwarmSpawner.extra_endpoint_spec = {"ports": [port]}
    config.SwarmSpawner.extra_container_spec = {"init": True}
    for name, value in settings.items():
        config.SwarmSpawner[name] = value
    return config


class TestService(SpawnerConformance):
    @pytest.fixture(autouse=True)
    async def _place(self, swarm: Engine) -> AsyncIterator[None]:
        self.engine = swarm
        async with shared() as held:
            self.shared = held
            yield
        assert self.leftovers() == []

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        settings = {"cmd": ["no-such-program"], "extra_container_spec": {}} if case is Case.BROKEN else {}
        config = published(self.engine, _MODES.get(case, ""), **settings)
        return spawner_of(SwarmSpawner, config, self.shared, state=state or {})

    def leftovers(self) -> list[str]:
        return self.engine.run("service", "ls", "--format", "{{.Name}}").split()

    async def test_what_runs_without_a_row_is_found_and_taken_over(self) -> None:
        async with self.started() as driver:
            assert (await report_of(driver))["env"]["JUPYTERHUB_USER"] == "alice"
            heir = self.make()
            (orphan,) = await heir.find_orphans([(7, 1)])
            assert await heir.find_orphans([(7, 2)]) == []
            assert await heir.recognize(orphan)
            assert heir.get_state() == driver.get_state()
            assert await heir.resume_start() == (driver.server.ip, driver.server.port)

    async def test_what_the_swarm_says_is_told(self) -> None:
        config = published(self.engine, extra_placement_spec={"constraints": ["node.role == nobody"]})
        driver = spawner_of(SwarmSpawner, config, self.shared)
        start = asyncio.create_task(driver.start())
        async for event in driver.progress():
            if "no suitable node" in event["message"]:
                break
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await driver.stop(now=True)
        broken = published(self.engine, cmd=["no-such-program"], extra_container_spec={})
        missing = spawner_of(SwarmSpawner, broken, self.shared)
        with pytest.raises(StartError, match="could not run the server"):
            await missing.start()
        await missing.stop(now=True)
