"""A submission that is cut off: the job may be there all the same."""

from __future__ import annotations

import asyncio

import pytest

from carrel.spawners.batch.jobs import Job, Jobs, JobState
from carrel.spawners.batch.slurm import SlurmSpawner
from tests.spawners.batch.rig import make_driver
from tests.spawners.rig import hub_view


class CutOff(SlurmSpawner):
    """Takes a job and says nothing of it."""

    def __init__(self, **facts: object) -> None:
        super().__init__(**facts)
        self.jobs: dict[str, Job] = {}

    async def _submit(self) -> str:
        self.jobs["7"] = Job("7", JobState.RUNNING, name=self.job_name, user="root")
        await asyncio.Event().wait()
        raise AssertionError("it was not cut off")

    async def list_named(self) -> Jobs:
        return dict(self.jobs)


async def test_it_is_found_though_all_jobs_were_listed_a_moment_before() -> None:
    driver = make_driver(CutOff, "root", hub_view())
    assert await driver.find_orphans([]) == []
    starting = asyncio.create_task(driver.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert [orphan.state for orphan in await driver.find_orphans([])] == [{"job_id": "7"}]
