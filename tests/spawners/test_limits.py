from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carrel.config.limits import SETTINGS as SETTINGS_OF_LIMITS
from carrel.lib.control_groups import machine
from carrel.lib.control_groups.limits import Limits
from carrel.lib.control_groups.machine import Machine, lacking, probe
from carrel.spawners.errors import StartError
from carrel.spawners.limits import limits_of
from carrel.spawners.local import LocalProcessSpawner
from tests.rigs.needs import need
from tests.spawners.rig import Rig, hub_view, report_of

real = pytest.mark.real
SETTINGS: dict[str, Any] = {"mem_limit": "64M", "cpu_limit": 0.5, "pids_limit": 20}


@pytest.fixture
def enforcing() -> None:
    need(not lacking(probe(), Limits(memory=1, cpu=1, pids=1)), "control groups for a test")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without control groups."""
    found = Machine((), systemd=False, root=os.geteuid() == 0)
    monkeypatch.setattr(machine, "probe", lambda: found)


def group_names() -> Iterator[str]:
    prefix = f"carrel-{hub_view().hub_id[:8]}-"
    # Unlike a glob it does not mind groups of others that go meanwhile.
    for _, names, _ in os.walk("/sys/fs/cgroup"):
        yield from (name for name in names if name.startswith(prefix))


def test_settings_become_limits() -> None:
    assert limits_of({}) == limits_of({"mem_limit": None, "cpu_limit": 0}) == Limits()
    assert not Limits()
    found = limits_of({"mem_limit": 2**30, "mem_guarantee": 2**20, "cpu_limit": 2.0, "cpu_guarantee": 0.5})
    assert found == Limits(memory=2**30, memory_guarantee=2**20, cpu=2.0, cpu_guarantee=0.5)
    with pytest.raises(StartError, match="pids_limit is -1"):
        limits_of({"pids_limit": -1})


@real
@pytest.mark.parametrize("name", SETTINGS_OF_LIMITS)
async def test_no_server_starts_without_the_limit_that_it_should_have(
    bare: None, rig: Rig, name: str
) -> None:
    setting: dict[str, Any] = {name: 2**20}
    driver = rig.spawner(LocalProcessSpawner, **setting)
    with pytest.raises(StartError, match=f"The setting {name} cannot be enforced on this machine") as caught:
        await driver.start()
    assert "root" in caught.value.hint
    assert await driver.poll() is not None
    assert driver.get_state() == {}


@real
async def test_a_limit_that_came_with_the_run_counts_too(bare: None, rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, apply_user_options={"memory": "mem_limit"})
    await driver.run_apply_user_options({"memory": "1G"})
    with pytest.raises(StartError, match="mem_limit"):
        await driver.start()


@real
async def test_without_limits_nothing_needs_control_groups(bare: None, rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner)
    await driver.start()
    try:
        await report_of(driver)
        assert "group" not in driver.get_state()
        seen = await driver.usage()
        assert seen is not None
        assert seen.memory is not None
        assert seen.memory > 2**20
        assert seen.processes == 1
        assert await driver.findings() == {}
    finally:
        await driver.stop(now=True)


@real
@pytest.mark.usefixtures("enforcing")
async def test_the_server_is_held_to_its_limits_and_leaves_no_group(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, **SETTINGS)
    await driver.start()
    try:
        report = await report_of(driver)
        assert report["open"]["0"] == "/dev/null"
        groups = Path(f"/proc/{driver.pid}/cgroup").read_text()
        assert f"-7-{driver.generation}" in groups
        seen = await driver.usage()
        assert seen is not None
        assert seen.memory is not None
        assert 2**20 < seen.memory < 64 * 2**20
        assert (seen.processes, seen.killed) == (1, 0)
    finally:
        await driver.stop()
    assert await driver.poll() == 0
    driver.clear_state()
    assert list(group_names()) == []


@real
@pytest.mark.usefixtures("enforcing")
async def test_a_server_that_took_too_much_is_known_for_it_after_a_restart_of_the_hub(rig: Rig) -> None:
    hog = [*rig.command()[:2], "-c", "import time; time.sleep(0.5); x = b'x' * (256 << 20)"]
    driver = rig.spawner(LocalProcessSpawner, cmd=hog, **SETTINGS)
    await driver.start()
    later = rig.spawner(LocalProcessSpawner, state=driver.get_state())
    assert await later.wait_for_death(20)
    assert await later.findings() == {"oom": "limit"}
    assert await driver.poll() == -signal.SIGKILL
    assert await driver.findings() == {"oom": "limit"}
    later.clear_state()
    assert list(group_names()) == []


@real
@pytest.mark.usefixtures("enforcing")
async def test_a_program_that_was_killed_in_it_does_not_explain_the_end_of_the_server(rig: Rig) -> None:
    script = f"{rig.command()[0]} -c 'x = \"x\" * (256 << 20)'; exit 3"
    driver = rig.spawner(LocalProcessSpawner, cmd=["sh", "-c", script], **SETTINGS)
    await driver.start()
    assert await driver.wait_for_death(20)
    assert await driver.poll() == 3
    assert await driver.findings() == {}
    driver.clear_state()


@real
@pytest.mark.usefixtures("enforcing")
async def test_what_a_limited_server_has_sent_to_the_background_ends_with_it(rig: Rig) -> None:
    """Else a server that is started again and again would be held to no limit."""
    driver = rig.spawner(LocalProcessSpawner, "daemon", **SETTINGS)
    await driver.start()
    await report_of(driver)
    seen = await driver.usage()
    assert seen is not None
    assert seen.processes == 2
    await driver.stop()
    assert list(group_names()) == []


@real
@pytest.mark.usefixtures("enforcing")
async def test_an_orphan_is_taken_over_with_its_group(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, **SETTINGS)
    await driver.start()
    await report_of(driver)
    seeker = rig.spawner(LocalProcessSpawner)
    (orphan,) = await seeker.find_orphans(known=[])
    assert await seeker.recognize(orphan)
    assert seeker.get_state()["group"].keys() == driver.get_state()["group"].keys()
    await seeker.stop(now=True)
    assert await driver.poll() is not None
    seeker.clear_state()
    assert list(group_names()) == []
