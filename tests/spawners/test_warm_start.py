from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from carrel.lib.process_table import find, is_alive, look, running
from carrel.lib.processes import wait_until_gone
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.warm import WarmStarts, check
from carrel.spawners.warm_template import BadTemplate, Kind, WarmTemplate
from tests.rigs.systems import free_port
from tests.spawners.rig import Rig, report_of, usable_python

pytestmark = pytest.mark.real

#: What differs from one start to the next.
_OWN = ("pid", "session")


def template_of(driver: LocalProcessSpawner) -> int:
    """Return the pid of the template that a server was forked from, 0 when it was not."""
    seen = look(driver.pid)
    assert seen is not None
    return seen.parent if b"carrel-warmstart" in Path(f"/proc/{seen.parent}/cmdline").read_bytes() else 0


@contextlib.asynccontextmanager
async def server(rig: Rig, mode: str = "serve", **settings: Any) -> AsyncIterator[LocalProcessSpawner]:
    if "cmd" not in settings:
        settings["cmd"] = [rig.script(), mode]
    driver = rig.spawner(LocalProcessSpawner, mode, **settings)
    await driver.start()
    try:
        yield driver
    finally:
        await driver.stop(now=True)


@contextlib.asynccontextmanager
async def templates(directory: Path, *options: str) -> AsyncIterator[WarmStarts]:
    """What a hub has that is started anew."""
    found = WarmStarts(directory, ("--idle", "5", *options))
    try:
        yield found
    finally:
        await found.close(end=True)


async def gone(pid: int) -> bool:
    process = find(pid)
    return process is None or await wait_until_gone(process, 10)


@contextlib.contextmanager
def one_cpu() -> Iterator[None]:
    """Run the block on one CPU, with all threads: any of them may be the one that starts processes."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("this machine has a single CPU")
    _run_on({min(before)})
    try:
        yield
    finally:
        _run_on(before)


def _run_on(cpus: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cpus)


@contextlib.contextmanager
def core_files_forbidden() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def wrapper(rig: Rig, for_templates: str) -> str:
    """Return an interpreter that does something else when it is to be a template.

    As it is a script, programs that it runs have another name than those that are forked.
    """
    path = rig.place / "python-odd"
    case = f'case "$*" in *warmstart*) {for_templates};; esac'
    path.write_text(f'#!/bin/sh\n{case}\nexec {usable_python()} "$@"\n')
    path.chmod(0o755)
    return str(path)


async def test_a_forked_server_reports_what_a_started_one_does(rig: Rig, warm_starts: WarmStarts) -> None:
    reports, port = [], free_port()
    for warm in (True, False):
        async with server(rig, warm_starts=warm_starts, warm_start=warm, umask=0o027, port=port) as driver:
            report = await report_of(driver)
            assert bool(template_of(driver)) is warm
            assert report["env"].pop("CARREL_PID") == str(report["pid"])
            assert report["session"] == report["pid"] == driver.pid
            report["ps"] = Path(f"/proc/{driver.pid}/cmdline").read_text().split("\0")
            report["name"] = Path(f"/proc/{driver.pid}/comm").read_text()
            report["open"] = {name: target.split(":")[0] for name, target in report["open"].items()}
            reports.append({name: value for name, value in report.items() if name not in _OWN})
    assert reports[0] == reports[1]


@pytest.mark.parametrize("others", [True, False])
async def test_probes_in_a_hub_with_other_limits_find_no_difference(
    warm_directory: Path, others: bool
) -> None:
    if others and os.geteuid() != 0:
        pytest.skip("only root has servers of other users")
    template = WarmTemplate(warm_directory / f"other-{others}", Kind(usable_python(), {}, others), check)
    await template.prepare()
    try:
        before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        with core_files_forbidden():
            await check(template)
    finally:
        signal.signal(signal.SIGUSR1, before)
        await template.close(end=True)


async def test_a_template_from_other_surroundings_is_replaced(tmp_path: Path, rig: Rig) -> None:
    async with templates(tmp_path / "warm") as first, server(rig, warm_starts=first) as driver:
        old = template_of(driver)
        with one_cpu():
            async with templates(tmp_path / "warm") as second, server(rig, warm_starts=second) as other:
                assert template_of(other) not in (0, old)
                assert await driver.poll() is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"popen_kwargs": {"pipesize": -1}}, "arguments for Popen: pipesize"),
        ({"shell_cmd": ["bash", "-c"]}, "the command bash is none of stub-server"),
        ({"environment": {"PYTHONPATH": "/nowhere"}}, "PYTHONPATH has to be there when Python starts"),
        ({"environment": {"LD_LIBRARY_PATH": "/nowhere"}}, "LD_LIBRARY_PATH has to be there"),
        ({"environment": {"odd-name": "1"}}, "names only some shells hand on"),
        ({"environment": {"LONG": "x" * 100_000}}, "very long"),
    ],
)
async def test_what_cannot_be_exact_is_started_the_usual_way_and_said_once(
    rig: Rig,
    warm_starts: WarmStarts,
    settings: Mapping[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "carrel.spawners")
    before = sum(counted(warm_starts, "warm_start_fallbacks").values())
    for _ in range(2):
        async with server(rig, warm_starts=warm_starts, **settings) as driver:
            assert template_of(driver) == 0
            assert (await report_of(driver))["argv"] == ["serve"]
    said = [record.getMessage() for record in caplog.records if "warm start" in record.getMessage()]
    assert [reason in text for text in said] == [True]
    assert sum(counted(warm_starts, "warm_start_fallbacks").values()) == before + 2


def counted(starts: WarmStarts, name: str) -> dict[str, float]:
    """Return the values of one metric by their label."""
    found = [each for each in starts.measures() if each.name == name]
    return {"".join(value for _, value in each.labels): each.value for each in found}


def packages_of(interpreter: str) -> str:
    """Return where a user's own packages are, below the home."""
    code = "import sys; print('.local/lib/python%d.%d/site-packages' % sys.version_info[:2])"
    return subprocess.run(
        [interpreter, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


async def test_packages_of_a_user_that_hide_others_are_found(
    rig: Rig, warm_starts: WarmStarts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "carrel.spawners")
    home = Path(pwd.getpwnam(rig.account).pw_dir)
    place = home / packages_of(usable_python())
    place.mkdir(parents=True)
    (place / "harmless.py").write_text("")
    before = counted(warm_starts, "warm_starts")[""]
    async with server(rig, warm_starts=warm_starts) as driver:
        assert template_of(driver) != 0
    assert counted(warm_starts, "warm_starts")[""] == before + 1
    assert counted(warm_starts, "warm_templates")[""] >= 1
    (place / "json").mkdir()
    try:
        async with server(rig, warm_starts=warm_starts) as driver:
            assert template_of(driver) == 0
    finally:
        shutil.rmtree(home / ".local")
    assert "json in" in caplog.text


@pytest.mark.parametrize(
    ("sabotage", "reason"),
    [("exit 7", "ended with status 7"), ("true", "comm: ")],
)
async def test_a_template_that_is_not_good_is_told_of_and_not_used(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture, sabotage: str, reason: str
) -> None:
    script = rig.script(wrapper(rig, sabotage))
    async with templates(tmp_path / "warm") as starts:
        for _ in range(2):
            async with server(rig, warm_starts=starts, cmd=[script, "serve"]) as driver:
                assert template_of(driver) == 0
                assert (await report_of(driver))["argv"] == ["serve"]
        assert counted(starts, "warm_start_fallbacks")["template"] == 2
        assert counted(starts, "warm_starts") == {"": 0}
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert reason in said[0]


async def test_the_end_of_a_server_is_told(rig: Rig, warm_starts: WarmStarts) -> None:
    async with server(rig, "die", warm_starts=warm_starts) as driver:
        assert await driver.wait_for_death(10)
        assert await driver.poll() == 3
    async with server(rig, warm_starts=warm_starts) as driver:
        os.kill(driver.pid, signal.SIGKILL)
        assert await driver.wait_for_death(10)
        assert await driver.poll() == -signal.SIGKILL


async def test_servers_outlive_their_template(rig: Rig, tmp_path: Path) -> None:
    async with templates(tmp_path / "warm") as starts, server(rig, warm_starts=starts) as driver:
        old = template_of(driver)
        assert old
        os.kill(old, signal.SIGKILL)
        assert await gone(old)
        assert await driver.poll() is None
        async with server(rig, warm_starts=starts) as other:
            assert template_of(other) not in (0, old)
        await driver.stop()
        assert await driver.poll() == 0


async def test_a_template_outlives_the_hub_and_ends_when_nobody_needs_it(rig: Rig, tmp_path: Path) -> None:
    first = WarmStarts(tmp_path / "warm", ("--idle", "2"))
    async with server(rig, warm_starts=first) as driver:
        old = template_of(driver)
        await first.close(end=False)
        second = WarmStarts(tmp_path / "warm", ("--idle", "2"))
        async with server(rig, warm_starts=second) as other:
            assert template_of(other) == old
        await second.close(end=False)
        assert find(old) is not None
    assert await gone(old)


async def test_a_template_is_made_anew_after_so_many_servers(rig: Rig, tmp_path: Path) -> None:
    # Two of its children are probes.
    async with templates(tmp_path / "warm", "--forks", "3") as starts:
        seen = []
        for _ in range(3):
            async with server(rig, warm_starts=starts) as driver:
                seen.append(template_of(driver))
        assert 0 not in seen
        assert len(set(seen)) == 3
        assert await gone(seen[0])


async def test_a_start_that_is_given_up_leaves_nothing(rig: Rig, warm_starts: WarmStarts) -> None:
    async with server(rig, warm_starts=warm_starts) as driver:
        template = template_of(driver)
    for pause in (0.0, 0.002, 0.005, 0.01, 0.02):
        driver = rig.spawner(LocalProcessSpawner, warm_starts=warm_starts, cmd=[rig.script(), "serve"])
        starting = asyncio.create_task(driver.start())
        await asyncio.sleep(pause)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        if driver.pid:
            await driver.stop(now=True)
    assert await settled(lambda: children_of(template) == [])


def children_of(parent: int) -> list[int]:
    return [
        pid
        for pid in running()
        if (seen := look(pid)) is not None and seen.parent == parent and seen.state != "Z"
    ]


async def settled(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return holds()


async def test_32_at_once(rig: Rig, warm_starts: WarmStarts) -> None:
    script = rig.script()
    drivers = [
        rig.spawner(LocalProcessSpawner, warm_starts=warm_starts, cmd=[script, "serve"]) for _ in range(32)
    ]
    try:
        await asyncio.gather(*(driver.start() for driver in drivers))
        assert len({driver.pid for driver in drivers}) == 32
        assert all(template_of(driver) for driver in drivers)
    finally:
        await asyncio.gather(*(driver.stop(now=True) for driver in drivers))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_nobody_else_may_ask_a_template(rig: Rig) -> None:
    with tempfile.TemporaryDirectory() as name:
        async with templates(Path(name) / "w") as starts, server(rig, warm_starts=starts) as driver:
            place = Path(Path(f"/proc/{template_of(driver)}/cmdline").read_text().split("\0")[2])
            assert os.stat(place).st_mode & 0o777 == 0o700
            sockets = [place / "start", place / "hub"]
            assert {os.stat(path).st_mode & 0o777 for path in sockets} == {0o600}
            # Even where the modes are not what they are, it looks at who asks.
            for path in (Path(name), place.parent, place, *sockets):
                path.chmod(0o777)
            for path in sockets:
                assert await asyncio.to_thread(answer_to, rig.account, path) == "b''"


def answer_to(account: str, path: Path) -> str:
    """Return what another account hears on a socket."""
    code = "import socket, sys; s = socket.socket(1); s.connect(sys.argv[1]); print(s.recv(1))"
    uid = pwd.getpwnam(account).pw_uid
    command = [usable_python(), "-c", code, str(path)]
    return subprocess.check_output(command, user=uid, text=True).strip()


async def test_a_bad_template_is_not_tried_again_at_once(rig: Rig, tmp_path: Path) -> None:
    kind = Kind("/nowhere/python", {}, others=False)
    with pytest.raises(BadTemplate):
        await WarmTemplate(tmp_path / "warm", kind, check).prepare()


async def test_a_process_is_known_by_its_start(rig: Rig, warm_starts: WarmStarts) -> None:
    async with server(rig, warm_starts=warm_starts) as driver:
        found = find(driver.pid)
        assert found is not None
        assert found.start_time == driver.start_time
        assert is_alive(found, driver.run_labels())


async def test_a_directory_that_cannot_be_made_is_told_and_no_obstacle(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "warm").write_text("in the way")
    async with templates(tmp_path / "warm") as starts, server(rig, warm_starts=starts) as driver:
        assert template_of(driver) == 0
    assert "could not be made" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lose")
async def test_root_imports_only_what_is_roots(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = rig.script(wrapper(rig, "true"))
    (rig.place / "python-odd").chmod(0o757)
    async with (
        templates(tmp_path / "warm") as starts,
        server(rig, warm_starts=starts, cmd=[script, "serve"]) as driver,
    ):
        assert template_of(driver) == 0
    assert "python-odd" in caplog.text
    assert "others may change" in caplog.text
