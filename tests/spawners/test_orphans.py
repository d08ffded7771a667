"""Which processes are taken for servers of this hub, and whose word is believed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from carrel.lib import process_table
from carrel.lib.process_table import Process, Sighting, environ_of, find
from carrel.spawners import orphans
from carrel.spawners.environment import PID_LABEL, labels
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.orphans import find_local_orphans, is_server
from carrel.spawners.reports import Orphan
from carrel.spawners.simple import SimpleLocalProcessSpawner
from tests.rigs.poll import until
from tests.spawners.rig import Rig, hub_view, report_of

HUB = "the-hub"
Table = dict[int, tuple[Sighting, Mapping[str, str]]]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """A stand-in for the machine's processes."""
    entries: Table = {}

    def raw(pid: int) -> bytes:
        return "".join(f"{key}={value}\0" for key, value in entries[pid][1].items()).encode()

    monkeypatch.setattr(orphans, "running", lambda: list(entries))
    monkeypatch.setattr(orphans, "raw_environ", raw)
    monkeypatch.setattr(orphans, "look", lambda pid: entries[pid][0])
    return entries


def entry(
    server: object = 7,
    generation: object = 2,
    *,
    hub: str = HUB,
    parent: int = 1,
    group: int = 0,
    **more: str,
) -> tuple[Sighting, Mapping[str, str]]:
    environ = labels(hub, 0, 0) | {"CARREL_SERVER_ID": str(server), "CARREL_GENERATION": str(generation)}
    return Sighting("100@boot", "S", parent, group), environ | more


def found(known: set[tuple[int, int]] | None = None) -> list[tuple[int, int, int]]:
    report = find_local_orphans(HUB, known or set())
    return [(orphan.state["pid"], orphan.server_id, orphan.generation) for orphan in report]


def test_a_server_is_found_by_its_labels(table: Table) -> None:
    url = "http://127.0.0.1:4321/user/ada/"
    table[10] = entry(group=10, CARREL_PID="10", JUPYTERHUB_USER="ada", JUPYTERHUB_SERVICE_URL=url)
    state = {"pid": 10, "start_time": "100@boot", "port": 4321}
    assert find_local_orphans(HUB, set()) == [Orphan(7, 2, state, user_name="ada")]
    assert find_local_orphans("", set()) == []
    assert found({(7, 2)}) == []
    assert found({(7, 1), (2, 7)}) == [(10, 7, 2)]


def test_what_is_not_this_hubs_or_makes_no_sense_is_none(table: Table) -> None:
    table[10] = entry(hub="another")
    table[11] = (Sighting("1@boot", "S", 1), {"NOTE": f"CARREL_HUB_ID={HUB}"})
    table[12] = entry(server="7; x")
    table[13] = entry(generation="9" * 40)
    table[14] = entry()
    table[14] = (Sighting("1@boot", "Z", 1), table[14][1])
    table[15] = entry(CARREL_HUB_ID="another")
    table[16] = entry(JUPYTERHUB_SERVICE_URL="http://[broken")
    assert found() == [(16, 7, 2)]


@pytest.mark.parametrize(
    ("parent", "group", "reported"),
    [
        (10, 10, False),  # a child of the living server
        (10, 11, False),  # a shell of the living server's terminal
        (1, 11, False),  # put into the background on purpose: nohup, tmux
        (1, 10, True),  # left over in the group of a server that is gone
    ],
)
def test_what_a_server_started(table: Table, parent: int, group: int, reported: bool) -> None:
    if parent == 10:
        table[10] = entry(group=10, CARREL_PID="10")
    table[11] = entry(parent=parent, group=group, CARREL_PID="10")
    assert ((11, 7, 2) in found()) is reported


def test_a_hub_that_was_started_from_a_notebook_is_no_server_of_its_own(table: Table) -> None:
    table[20] = entry(group=20, CARREL_PID="10")
    assert found() == []


@contextmanager
def process(environ: Mapping[str, str], **options: object) -> Iterator[Process]:
    child = subprocess.Popen(["/bin/sleep", "60"], env=dict(environ), **options)  # type: ignore[call-overload]
    try:
        known = find(child.pid)
        assert known is not None
        # The kernel lets the parent go on a moment before the new program's environment can be read.
        until(lambda: environ_of(child.pid) == environ, "the environment to be there")
        yield known
    finally:
        child.kill()
        child.wait()


@pytest.mark.real
def test_the_labels_and_the_uid_have_to_be_right() -> None:
    mine = labels(HUB, 7, 2)
    with process(mine) as server:
        assert is_server(server, os.geteuid(), mine)
        assert not is_server(server, os.geteuid() + 1, mine)
        assert not is_server(server, os.geteuid(), labels(HUB, 7, 3))
        assert not is_server(Process(server.pid, "1@boot"), os.geteuid(), mine), "the pid is used again"
    assert not is_server(server, os.geteuid(), mine)
    with process({}) as stranger:
        assert not is_server(stranger, os.geteuid(), mine)


@pytest.mark.real
async def test_a_service_that_inherited_a_servers_labels_is_never_signalled(rig: Rig) -> None:
    """An administrator restarts a service from a notebook: it is root's and carries the notebook's labels."""
    driver = rig.spawner(LocalProcessSpawner)
    own_uid = os.geteuid() == driver._find_account().uid
    with process(driver.run_labels()) as service:
        (orphan,) = [one for one in await driver.find_orphans([]) if one.state["pid"] == service.pid]
        assert await driver.recognize(orphan) is own_uid
        if not own_uid:
            await driver.stop(now=True)
            assert process_table.is_alive(service)


@pytest.mark.real
@pytest.mark.parametrize("cls", [LocalProcessSpawner, SimpleLocalProcessSpawner])
async def test_a_server_without_its_checkpoint_is_recognized(
    rig: Rig, cls: type[LocalProcessSpawner]
) -> None:
    driver = rig.spawner(cls)
    await driver.start()
    try:
        assert (await report_of(driver))["env"][PID_LABEL] == str(driver.pid)
        finder = rig.spawner(cls)
        (orphan,) = await finder.find_orphans([])
        assert await finder.recognize(orphan)
        assert finder.get_state() == driver.get_state()
        assert await finder.poll() is None
        later = rig.spawner(cls)
        later.generation += 1
        assert not await later.recognize(orphan)
        assert later.get_state() == {}
    finally:
        await driver.stop(now=True)


@pytest.mark.real
async def test_what_a_user_left_in_the_background_outlives_the_server(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, "daemon")
    await driver.start()
    hub_id = hub_view().hub_id
    await report_of(driver)
    (job,) = [pid for pid in process_table.running() if _started_by(pid, driver)]
    await driver.stop()
    try:
        assert find(job) is not None
        assert find_local_orphans(hub_id, set()) == []
    finally:
        os.kill(job, signal.SIGKILL)


def _started_by(pid: int, driver: LocalProcessSpawner) -> bool:
    return pid != driver.pid and environ_of(pid).get(PID_LABEL) == str(driver.pid)


@pytest.mark.real
async def test_what_a_dead_server_left_in_its_group_is_an_orphan(rig: Rig) -> None:
    driver = rig.spawner(LocalProcessSpawner, "parent")
    await driver.start()
    await report_of(driver)
    os.kill(driver.pid, signal.SIGKILL)
    assert await driver.wait_for_death(10)
    await driver.poll()
    finder = rig.spawner(LocalProcessSpawner)
    (orphan,) = await finder.find_orphans([])
    assert orphan.state["pid"] != driver.pid
    assert await finder.recognize(orphan)
    await finder.stop(now=True)
    until = time.monotonic() + 10
    while await finder.find_orphans([]):
        assert time.monotonic() < until


def test_find_needs_no_more_than_a_look_for_what_is_known(table: Table) -> None:
    looked: list[int] = []

    def look(pid: int) -> Sighting | None:
        looked.append(pid)
        return table[pid][0]

    table.update({pid: entry(server=pid, group=pid) for pid in range(100, 200)})
    table[5] = (Sighting("1@boot", "S", 1), {"PATH": "/bin"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orphans, "look", look)
        assert found({(pid, 2) for pid in range(100, 199)}) == [(199, 199, 2)]
    assert looked == [199]
