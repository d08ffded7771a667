"""What every Spawner must do: derive a test class from SpawnerConformance and say how to make your driver.

    class TestMySpawner(SpawnerConformance):
        def make(self, case=Case.HEALTHY, state=None):
            return make_spawner(MySpawner, Run(..., state=state or {}), my_config(case))

The test functions are coroutines: run them with pytest-asyncio's auto mode.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

from carrel.lib.awaiting import resolve
from carrel.spawners.base import Spawner
from carrel.spawners.environment import GENERATION_LABEL, HUB_LABEL, SERVER_LABEL

#: What the server of a DYING case writes before it ends.
LAST_WORDS = "cannot go on: the reason"


class Case(Enum):
    """What kind of server `make` returns a driver for."""

    HEALTHY = "starts and lives until it is stopped"
    BROKEN = "start() cannot succeed"
    DYING = "starts, writes LAST_WORDS and ends with status 3"


class SpawnerConformance:
    """The rules. Each test makes its own drivers, as the hub does for each call."""

    keeps_logs = True
    """Set it to False for a driver that cannot show what its servers write."""
    saves_state = True
    """Set it to False for a driver that does not call `save_state()` during start."""

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        """Return a new driver for one and the same run of one server, with `state` loaded."""
        raise NotImplementedError

    def leftovers(self) -> list[str]:
        """Return what exists of the run in the world, if the test can see that."""
        return []

    @asynccontextmanager
    async def started(self, case: Case = Case.HEALTHY) -> AsyncIterator[Spawner]:
        """Run the block with a started driver; end its server after it."""
        driver = self.make(case)
        await resolve(driver.start())
        try:
            yield driver
        finally:
            await resolve(driver.stop(now=True))

    def again(self, driver: Spawner) -> Spawner:
        """Return a new driver that knows only the checkpoint, as after a restart of the hub."""
        return self.make(state=json.loads(json.dumps(driver.get_state())))

    async def test_nothing_lives_before_a_start(self) -> None:
        assert await self.make().poll_now() is not None

    async def test_a_start_says_where_the_server_listens(self) -> None:
        driver = self.make()
        try:
            answer = await resolve(driver.start())
            if isinstance(answer, str):
                assert answer.startswith(("http://", "https://"))
            elif answer:
                assert isinstance(answer[0], str)
                assert 0 < int(answer[1]) < 65536
            else:
                assert driver.server.port > 0
        finally:
            await resolve(driver.stop(now=True))

    async def test_a_server_lives_until_it_is_stopped(self) -> None:
        async with self.started() as driver:
            assert await driver.poll_now() is None
            await resolve(driver.stop())
            assert await driver.poll_now() is not None
            assert self.leftovers() == []

    async def test_a_new_driver_finds_and_stops_the_server_by_the_checkpoint(self) -> None:
        async with self.started() as driver:
            assert await self.again(driver).poll_now() is None
            await resolve(self.again(driver).stop())
            assert await self.again(driver).poll_now() is not None
            assert await driver.poll_now() is not None

    async def test_a_loaded_checkpoint_can_be_saved_again(self) -> None:
        async with self.started() as driver:
            assert self.again(driver).get_state() == driver.get_state()

    async def test_a_checkpoint_made_during_the_start_is_enough(self) -> None:
        saved: list[Mapping[str, Any]] = []

        async def keep(state: Mapping[str, Any]) -> None:
            saved.append(dict(state))

        driver = self.make()
        driver.state_saver = keep
        try:
            await resolve(driver.start())
            assert bool(saved) is self.saves_state
            if saved:
                assert await self.make(state=saved[-1]).poll_now() is None
        finally:
            await resolve(driver.stop(now=True))

    async def test_a_stop_may_be_repeated(self) -> None:
        async with self.started() as driver:
            await resolve(driver.stop())
            await resolve(driver.stop())
            await resolve(driver.stop(now=True))
            assert await driver.poll_now() is not None

    async def test_a_stop_without_a_server_does_nothing(self) -> None:
        driver = self.make()
        await resolve(driver.stop())
        assert await driver.poll_now() is not None

    async def test_a_cleared_driver_knows_nothing(self) -> None:
        async with self.started() as driver:
            await resolve(driver.stop())
            driver.clear_state()
            assert driver.get_state() == self.make().get_state()
            assert await driver.poll_now() is not None

    async def test_a_server_can_be_started_again(self) -> None:
        async with self.started() as driver:
            await resolve(driver.stop())
            driver.clear_state()
            await resolve(driver.start())
            assert await driver.poll_now() is None

    async def test_a_failed_start_leaves_nothing(self) -> None:
        driver = self.make(Case.BROKEN)
        try:
            await resolve(driver.start())
        except Exception as error:
            assert str(error)  # noqa: PT017 - a driver may also fail later
        else:
            assert await driver.wait_for_death(30)
        await resolve(driver.stop(now=True))
        assert await driver.poll_now() is not None
        assert self.leftovers() == []

    async def test_a_server_that_ends_by_itself_is_seen_and_explained(self) -> None:
        async with self.started(Case.DYING) as driver:
            assert await driver.wait_for_death(30)
            assert await driver.poll_now() is not None
            if self.keeps_logs:
                assert LAST_WORDS in await driver.logs(10)
                assert LAST_WORDS in await self.again(driver).logs(10)

    async def test_the_environment_carries_the_contract_and_the_labels(self) -> None:
        driver = self.make()
        env = driver.get_env()
        assert {"JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_SERVICE_PREFIX"} <= env.keys()
        labels = (env[HUB_LABEL], env[SERVER_LABEL], env[GENERATION_LABEL])
        assert labels == (driver.hub.hub_id, str(driver.server_id), str(driver.generation))
