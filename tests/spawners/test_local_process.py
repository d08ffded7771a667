from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from carrel.lib.process_table import environ_of, find, look, running
from carrel.spawners.environment import HUB_LABEL
from carrel.spawners.errors import StartError
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from tests.rigs.systems import free_port
from tests.spawners.rig import Rig, hub_view, report_of, sleeper

pytestmark = pytest.mark.real


async def gone(is_there: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while is_there():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def labelled(hub_id: str = "") -> list[int]:
    wanted = hub_id or hub_view().hub_id
    return [pid for pid in running() if environ_of(pid).get(HUB_LABEL) == wanted]


def small_hub(rig: Rig, place: str, hub_id: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("parent_of_server.py")
    words = [sys.executable, str(script), json.dumps(rig.command()), place, hub_id]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


async def test_the_process_has_the_rights_and_surroundings_of_its_owner(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, umask=0o027)
    await driver.start()
    try:
        report = await report_of(driver)
        entry = pwd.getpwnam(rig.account)
        wanted_groups = os.getgrouplist(rig.account, entry.pw_gid) if os.geteuid() == 0 else os.getgroups()
        assert (report["uid"], report["gid"]) == (entry.pw_uid, entry.pw_gid)
        assert report["groups"] == sorted(wanted_groups)
        assert report["umask"] == 0o027
        assert report["cwd"] == entry.pw_dir
        assert report["session"] == report["pid"] == driver.pid
        account = (report["env"]["USER"], report["env"]["HOME"], report["env"]["SHELL"])
        assert account == (rig.account, entry.pw_dir, entry.pw_shell)
    finally:
        await driver.stop(now=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second account")
async def test_an_account_that_was_quicker_to_take_the_port_is_not_the_server(rig: Rig) -> None:
    port = free_port()
    driver = rig.spawner(LocalProcessSpawner, port=port)
    # Root's own listeners are trusted: what is handed to another account becomes that account's.
    with socket.socket() as squatter:
        nobody = pwd.getpwnam("nobody").pw_uid
        os.fchown(squatter.fileno(), nobody, -1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        await driver.start()
        try:
            assert not await driver.is_reached()
        finally:
            await driver.stop(now=True)
    await driver.start()
    try:
        await report_of(driver)
        assert await driver.is_reached()
    finally:
        await driver.stop(now=True)


async def test_the_process_shares_nothing_with_the_hub(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner)
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    await driver.start()
    try:
        shared = (await report_of(driver))["open"]
        log = driver.log_file
        assert (shared["0"], shared["1"], shared["2"]) == ("/dev/null", log, log)
        assert not any(target.startswith("pipe:") for target in shared.values())
        status = os.stat(log)
        assert (status.st_mode & 0o777, status.st_uid) == (0o600, os.geteuid())
    finally:
        os.close(reading)
        os.close(writing)
        await driver.stop(now=True)


async def test_the_process_survives_the_death_of_the_hub(rig: Rig, tmp_path: Path) -> None:
    hub_id = f"{hub_view().hub_id}-killed"
    with small_hub(rig, str(tmp_path), hub_id) as hub:
        assert hub.stdout is not None
        state = json.loads(await asyncio.to_thread(hub.stdout.readline))
        hub.send_signal(signal.SIGKILL)
    driver = rig.spawner(SimpleLocalProcessSpawner, state=state)
    driver.hub = hub_view(hub_id=hub_id)
    assert await driver.poll() is None
    assert (await report_of(driver))["pid"] == state["pid"]
    await driver.stop()
    assert await driver.poll() == 0
    assert await gone(lambda: labelled(hub_id))


async def test_a_process_that_heeds_no_signal_is_killed(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    driver = rig.spawner(LocalProcessSpawner, "stubborn", interrupt_timeout=0, term_timeout=0)
    await driver.start()
    await report_of(driver)
    with caplog.at_level(logging.WARNING, "carrel.spawners"):
        await driver.stop()
    assert [record.getMessage().split()[-1] for record in caplog.records] == ["SIGINT", "SIGTERM"]
    assert await driver.poll() == -signal.SIGKILL


async def test_a_clean_end_needs_one_signal(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    driver = rig.spawner(LocalProcessSpawner)
    await driver.start()
    await report_of(driver)
    await driver.stop()
    assert await driver.poll() == 0
    assert caplog.records == []


async def test_what_is_left_of_the_group_ends_with_the_server(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, "parent")
    await driver.start()
    await report_of(driver)
    assert len(labelled()) == 2
    await driver.stop()
    assert await gone(labelled)


async def test_the_exit_status_is_told(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, "die")
    await driver.start()
    assert await driver.wait_for_death(10)
    assert await driver.poll() == 3
    assert look(driver.pid) is None, "the ended child was collected"


@pytest.mark.parametrize("state", [{}, {"start_time": ""}, {"start_time": "1@elsewhere"}])
async def test_a_pid_alone_is_nobody(rig: Rig, state: Mapping[str, Any]) -> None:
    with sleeper() as stranger:
        driver = rig.spawner(LocalProcessSpawner, state={"pid": stranger.pid, **state})
        assert await driver.poll() == 0
        await driver.stop(now=True)
        assert stranger.poll() is None
        stranger.kill()


async def test_a_process_with_another_runs_label_is_not_ours(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner)
    await driver.start()
    try:
        later = rig.spawner(LocalProcessSpawner, state=driver.get_state())
        later.generation += 1
        assert await later.poll() == 0
        assert await driver.poll() is None
    finally:
        await driver.stop(now=True)


async def test_a_start_that_cannot_be_saved_leaves_nothing(rig: Rig) -> None:
    async def fail(state: Mapping[str, Any]) -> None:
        raise RuntimeError("the row is somebody else's")

    driver = rig.spawner(LocalProcessSpawner)
    driver.state_saver = fail
    with pytest.raises(RuntimeError, match="somebody else"):
        await driver.start()
    assert await gone(labelled)


async def test_a_cancelled_start_leaves_nothing(rig: Rig) -> None:
    saving = asyncio.Event()

    async def hang(state: Mapping[str, Any]) -> None:
        saving.set()
        await asyncio.Event().wait()

    driver = rig.spawner(LocalProcessSpawner)
    driver.state_saver = hang
    start = asyncio.create_task(driver.start())
    await saving.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert await gone(labelled)


async def test_a_shell_may_run_the_command(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, shell_cmd=["/bin/sh", "-c"], args=["it's $HOME", "--x=1"])
    await driver.start()
    try:
        assert (await report_of(driver))["argv"] == ["serve", "it's $HOME", "--x=1"]
    finally:
        await driver.stop(now=True)


async def test_popen_arguments_of_the_deployer_win(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, popen_kwargs={"cwd": str(rig.place)})
    await driver.start()
    try:
        assert (await report_of(driver))["cwd"] == str(rig.place)
    finally:
        await driver.stop(now=True)


class OwnFork(LocalProcessSpawner):
    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        return lambda: os.chdir("/usr")


async def test_a_subclass_may_turn_the_child_into_its_owner(rig: Rig) -> None:
    driver = rig.spawner(OwnFork, popen_kwargs={"cwd": "/"})
    await driver.start()
    try:
        report = await report_of(driver)
        assert (report["uid"], report["cwd"]) == (os.geteuid(), "/usr")
    finally:
        await driver.stop(now=True)


class Elsewhere(LocalProcessSpawner):
    """Starts and signals in its own way, as the drivers that go through sudo do."""

    signals: list[int]

    async def start(self) -> tuple[str, int]:
        self.signals = []
        self.pid = sleeper().pid
        return "127.0.0.1", 1234

    async def _signal(self, sig: int) -> bool:
        self.signals.append(sig)
        os.kill(self.pid, sig)
        return True


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
async def test_a_subclass_may_start_and_signal_in_its_own_way(rig: Rig) -> None:
    driver = rig.spawner(Elsewhere)
    await driver.start()
    assert await driver.poll() is None
    state = driver.get_state()
    assert find(state["pid"]) is not None
    assert await rig.spawner(LocalProcessSpawner, state=state).poll() is None
    await driver.stop()
    assert driver.signals == [signal.SIGINT]
    assert await driver.poll() is not None


async def test_runs_that_no_row_knows_are_found_without_their_children(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, "parent")
    await driver.start()
    try:
        await report_of(driver)
        seeker = rig.spawner(LocalProcessSpawner)
        (orphan,) = await seeker.find_orphans(known=[(1, 1)])
        assert (orphan.server_id, orphan.generation) == (7, 2)
        assert await seeker.find_orphans(known=[(7, 2)]) == []
        adopter = rig.spawner(LocalProcessSpawner, state=orphan.state)
        assert await adopter.poll() is None
        await adopter.stop(now=True)
        assert await gone(labelled)
    finally:
        await driver.stop(now=True)


async def test_the_log_is_of_this_run_and_ends_with_the_server(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, "die")
    for _ in range(2):
        await driver.start()
        assert await driver.wait_for_death(10)
    assert await driver.logs() == "cannot go on: the reason"
    assert sorted(path.suffix for path in rig.logs.iterdir()) == [".1", ".log"]
    await driver.delete_forever()
    await driver.delete_forever()
    assert list(rig.logs.iterdir()) == []
    assert await driver.logs() == ""


async def test_a_missing_command_is_explained_before_anything_starts(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, cmd=["carrel-nowhere"], environment={"PATH": "/opt/none"})
    with pytest.raises(StartError, match=r"carrel-nowhere .*/opt/none") as caught:
        await driver.start()
    assert "c.Spawner.cmd" in caught.value.hint
    assert not rig.logs.exists()
