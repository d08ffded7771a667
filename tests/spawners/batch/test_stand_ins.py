"""PBS, Torque, Grid Engine, LSF and HTCondor over commands that stand in for theirs; see stand_in.py."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from carrel.lib.process_table import look
from carrel.spawners.base import Spawner
from carrel.spawners.batch import board
from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.gridengine import GridengineSpawner
from carrel.spawners.batch.htcondor import CondorSpawner
from carrel.spawners.batch.lsf import LsfSpawner
from carrel.spawners.batch.pbs import PBSSpawner, TorqueSpawner
from carrel.testing.conformance.spawner import Case
from tests.spawners.batch.rig import BatchConformance, make_driver
from tests.spawners.rig import hub_view

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]
STAND_IN = Path(__file__).with_name("stand_in.py")


class _StandIn(BatchConformance):
    spawner_class: ClassVar[type[BatchSpawnerBase]]
    kind: ClassVar[str] = ""
    broken: ClassVar[Mapping[str, str]] = {"req_queue": "nowhere"}

    @pytest.fixture(autouse=True)
    def _place(self, account: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.account = account
        place = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp"))
        place.chmod(0o755)
        self.queue = place / "queue"
        self.queue.mkdir()
        self.queue.chmod(0o777)
        self.die = place / "die"
        shutil.copy(STAND_IN, place / "stand_in.py")
        (place / "stand_in.py").chmod(0o755)
        for name in stand_in_names():
            (place / name).symlink_to("stand_in.py")
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
        monkeypatch.setenv("QUEUE_DIRECTORY", str(self.queue))
        monkeypatch.setenv("QUEUE_KIND", self.kind)
        # Nobody else has to be spared here.
        monkeypatch.setattr(board, "_SHARE", 0.0)
        yield
        shutil.rmtree(place)

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        made: Spawner = self.driver(case, state)
        return made

    def driver(
        self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None, **settings: Any
    ) -> Any:
        settings |= self.broken if case is Case.BROKEN else {}
        variables = (*self.spawner_class.client_variables, "QUEUE_")
        cls = type(self.spawner_class.__name__, (self.spawner_class,), {"client_variables": variables})
        return make_driver(cls, self.account, hub_view(), case, state, self.die, **settings)

    def leftovers(self) -> list[str]:
        found = [json.loads(file.read_text()) for file in self.queue.glob("*.job")]
        return [job["id"] for job in found if (seen := look(job["pid"])) and seen.state != "Z"]

    async def test_what_the_system_shows_has_no_token(self) -> None:
        """Neither the script that it keeps, where it shows that, nor any command's words."""
        async with self.started() as driver:
            assert isinstance(driver, BatchSpawnerBase)
            shown = [json.loads(file.read_text()) for file in self.queue.glob("*.job")]
            words = [part for job in shown for part in job["words"]]
            scripts = [
                job["script"] for job in shown if self.spawner_class in (GridengineSpawner, LsfSpawner)
            ]
            assert not re.search("a-token", " ".join([*words, *scripts]))

    async def test_its_job_is_found_by_its_name_and_taken_over(self) -> None:
        async with self.started() as driver:
            assert isinstance(driver, BatchSpawnerBase)
            fresh = self.driver()
            (orphan,) = await fresh.find_orphans(())
            assert (orphan.server_id, orphan.generation) == (7, 2)
            assert await fresh.recognize(orphan)
            assert await fresh.poll_now() is None
            assert await self.driver().find_orphans({(7, 2)}) == []

    async def test_a_job_that_waits_says_so_and_a_system_that_is_away_ends_nothing(self) -> None:
        (self.queue / "closed").touch()
        driver = self.driver()
        starting = asyncio.create_task(driver.start())
        while (waiting := await driver.waiting()) is None:
            await asyncio.sleep(0.02)
        assert waiting.ahead is None
        (self.queue / "away").touch()
        assert await driver.poll_now() is None
        (self.queue / "away").unlink()
        (self.queue / "closed").unlink()
        assert (await starting)[0] == "localhost"
        await driver.stop()


def stand_in_names() -> list[str]:
    return re.findall(r"^def ((?:q|b|condor_)\w+)\(_?words", STAND_IN.read_text(), re.MULTILINE)


class TestPBS(_StandIn):
    spawner_class = PBSSpawner
    kind = "pbs"


class TestTorque(_StandIn):
    spawner_class = TorqueSpawner
    kind = "torque"


class TestGridEngine(_StandIn):
    spawner_class = GridengineSpawner
    kind = "sge"


class TestLSF(_StandIn):
    spawner_class = LsfSpawner


class TestHTCondor(_StandIn):
    spawner_class = CondorSpawner
    broken: ClassVar[Mapping[str, str]] = {"req_options": "# no such pool"}
