"""Grid Engine as it is: a job runs as its owner, is found again, ends, and is explained."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from carrel.spawners.batch.gridengine import GridengineSpawner
from carrel.spawners.errors import StartError
from carrel.testing.conformance.spawner import LAST_WORDS, Case
from tests.rigs.gridengine import GridEngine, running_grid_engine
from tests.spawners.batch.rig import make_driver
from tests.spawners.rig import hub_view, report_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def engine() -> Iterator[GridEngine]:
    with tempfile.TemporaryDirectory(prefix="carrel-test-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with running_grid_engine(directory) as engine:
            yield engine


async def test_a_job_lives_is_found_again_and_ends(
    account: str, engine: GridEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)

    def make(state: Mapping[str, Any] | None = None) -> GridengineSpawner:
        return make_driver(GridengineSpawner, account, hub_view(), state=state, req_queue="all.q")

    driver = make()
    host, port = await driver.start()
    assert (host, port) == ("localhost", driver.port)
    assert (await report_of(driver))["env"]["JUPYTERHUB_API_TOKEN"] == driver.api_token
    # Everybody may read scripts and variables of jobs there.
    assert driver.api_token not in engine.run("qstat", "-j", driver.job_id)
    (orphan,) = await make().find_orphans(())
    found = make()
    assert await found.recognize(orphan)
    assert await found.poll() is None
    await make(driver.get_state()).stop()
    assert await driver.poll() is not None
    assert engine.jobs(account) == []


async def test_a_job_that_dies_is_explained(
    account: str, engine: GridEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    die = engine.directory / "die"
    driver = make_driver(GridengineSpawner, account, hub_view(), Case.DYING, None, die)
    await driver.start()
    die.touch()
    assert await driver.wait_for_death(30)
    # The accounting is written a moment later; until then nobody knows with which status.
    async with asyncio.timeout(30):
        while await driver.poll() != 3:
            await asyncio.sleep(0.2)
    assert LAST_WORDS in await driver.logs(10)


async def test_what_it_refuses_is_said(
    account: str, engine: GridEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match="nowhere"):
        await make_driver(GridengineSpawner, account, hub_view(), req_queue="nowhere").start()
