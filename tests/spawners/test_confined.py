from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carrel.lib import mounts
from carrel.lib.mounts import CannotShow, View
from carrel.spawners.errors import StartError
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from tests.lib.test_mounts import can_mount
from tests.rigs.needs import need
from tests.spawners.rig import Rig, report_of

pytestmark = pytest.mark.real


@pytest.fixture
def far_rig(account: str) -> Iterator[Rig]:
    """A place for servers that is not below /tmp."""
    need(can_mount(), "the right to mount")
    place = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/var/lib"))
    place.chmod(0o755)
    yield Rig(account, place, place / "logs")
    shutil.rmtree(place)


async def test_a_server_has_its_own_tmp_and_is_otherwise_as_it_was(far_rig: Rig) -> None:
    """The process that the hub knows is the server itself: no other stands between."""
    driver = far_rig.spawner(LocalProcessSpawner, private_tmp=True, private_devices=True, pids_limit=40)
    await driver.start()
    try:
        report = await report_of(driver)
        assert report["pid"] == driver.pid == report["session"]
        assert report["open"]["0"] == "/dev/null"
        assert (report["env"]["USER"], report["uid"] == 0) == (far_rig.account, False)
        root = Path(f"/proc/{driver.pid}/root")
        assert os.listdir(root / "tmp") == []
        assert "shm" in os.listdir(root / "dev")
        later = far_rig.spawner(LocalProcessSpawner, state=driver.get_state())
        assert await later.poll() is None
        (orphan,) = await later.find_orphans(known=[])
        assert await later.recognize(orphan)
    finally:
        await driver.stop()
    assert await driver.poll() == 0, "it has heard the first signal, and ended well"


async def test_an_exit_status_is_told_as_ever(far_rig: Rig) -> None:
    driver = far_rig.spawner(LocalProcessSpawner, "die", private_tmp=True)
    await driver.start()
    assert await driver.wait_for_death(10)
    assert await driver.poll() == 3
    driver = far_rig.spawner(LocalProcessSpawner, "stubborn", private_tmp=True)
    driver.interrupt_timeout = driver.term_timeout = 0
    await driver.start()
    await report_of(driver)
    await driver.stop()
    assert await driver.poll() == -signal.SIGKILL


async def test_paths_are_for_each_user(far_rig: Rig) -> None:
    mine, others = far_rig.place / far_rig.account, far_rig.place / "others"
    for directory in (mine, others):
        directory.mkdir()
        (directory / "file").touch()
    settings: dict[str, Any] = {
        "read_only_paths": [f"{far_rig.place}/{{username}}"],
        "hidden_paths": [str(others)],
    }
    driver = far_rig.spawner(LocalProcessSpawner, **settings)
    await driver.start()
    try:
        await report_of(driver)
        root = f"/proc/{driver.pid}/root"
        assert os.listdir(f"{root}{mine}") == ["file"]
        assert os.listdir(f"{root}{others}") == []
        with pytest.raises(OSError, match="Read-only"):
            Path(f"{root}{mine}/new").touch()
    finally:
        await driver.stop(now=True)


async def test_a_home_that_would_be_hidden_is_told_before_anything_starts(rig: Rig) -> None:
    driver = rig.spawner(SimpleLocalProcessSpawner, private_tmp=True)
    with pytest.raises(StartError, match="is below /tmp") as caught:
        await driver.start()
    assert "private_tmp" in caught.value.hint


async def test_a_path_that_is_none_is_told(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, hidden_paths=["secrets"])
    with pytest.raises(StartError, match="The path secrets is not absolute"):
        await driver.start()


async def test_a_hub_without_the_right_to_mount_starts_no_server(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(view: View) -> None:
        raise CannotShow("a view of its own: Operation not permitted")

    monkeypatch.setattr(mounts, "enter", refuse)
    driver = rig.spawner(LocalProcessSpawner, hidden_paths=["/srv"], private_devices=True)
    with pytest.raises(StartError, match="a view of its own: Operation not permitted") as caught:
        await driver.start()
    assert "set by private_devices, hidden_paths" in str(caught.value)
    assert "root" in caught.value.hint
    assert await driver.poll() is not None
