"""Groups of the real kernel, where this machine lets us make some."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from carrel.lib.control_groups.limits import Limits
from carrel.lib.control_groups.machine import admit, find_group, lacking, probe
from carrel.lib.process_table import look
from carrel.lib.processes import Program, collect, launch
from tests.rigs.needs import need
from tests.rigs.poll import until

pytestmark = pytest.mark.real
LIMITS = Limits(memory=64 * 2**20, cpu=0.5, pids=12)
NAME = f"carrel-test-{os.getpid()}"


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    """A program that waits for a line and does what it says."""
    need(not lacking(probe(), LIMITS), "control groups in which a test may make some")
    program = "import sys; exec(sys.stdin.readline())"
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stderr=-3) as process:
        yield process
        process.kill()


def tell(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    process.stdin.close()


def test_who_takes_too_much_memory_is_killed_and_counted(waiting: subprocess.Popen[bytes]) -> None:
    group = admit(probe(), waiting.pid, NAME, LIMITS)
    try:
        assert find_group(waiting.pid, NAME) == group
        assert group.in_force() == LIMITS
        tell(waiting, "x = b'x' * (256 << 20)")
        assert waiting.wait(20) == -9
        seen = group.read()
        assert (seen.killed, seen.at_limit) == (1, True)
    finally:
        assert group.end()
        assert group.remove()


def test_all_that_a_process_has_started_ends_however_far_it_went(waiting: subprocess.Popen[bytes]) -> None:
    group = admit(probe(), waiting.pid, NAME, LIMITS)
    try:
        start = "subprocess.Popen(['sleep', '60'], start_new_session=True)"
        tell(waiting, f"import subprocess; print([{start} for _ in range(11)]); {start}")
        assert waiting.wait(20) == 1, "one process more is one too many"
        assert len(group.members()) == group.read().pids == 11
        assert group.read().refused
        assert group.end()
        assert group.members() == set()
    finally:
        group.end()
        assert group.remove()
        assert group.remove(), "may be repeated"


async def test_a_program_is_in_its_group_before_it_runs(tmp_path: Path) -> None:
    need(not lacking(probe(), LIMITS), "control groups in which a test may make some")
    said, groups = tmp_path / "said", []
    script = f"cat /proc/self/cgroup > {said}; readlink /proc/self/fd/0 >> {said}; sleep 60"

    def let_in(pid: int) -> None:
        assert not said.exists()
        groups.append(admit(probe(), pid, NAME, LIMITS))

    program = Program(argv=["sh", "-c", script], env={"PATH": os.environ["PATH"]}, admit=let_in)
    process = await launch(program)
    try:
        until(lambda: said.exists() and "/dev/null" in said.read_text(), "the program to run")
        assert said.read_text().count(NAME) == len(groups[0].places)
    finally:
        assert groups[0].end()
        assert groups[0].remove()
        collect(process)


async def test_a_program_that_is_not_let_in_never_runs(tmp_path: Path) -> None:
    pids = []

    def refuse(pid: int) -> None:
        pids.append(pid)
        raise LookupError("no")

    said = tmp_path / "said"
    program = Program(argv=["touch", str(said)], env={"PATH": os.environ["PATH"]}, admit=refuse)
    with pytest.raises(LookupError, match="no"):
        await launch(program)
    assert look(pids[0]) is None
    assert not said.exists()


async def test_who_stops_waiting_for_a_program_is_not_told_that_it_was_refused() -> None:
    asked, refuse = threading.Event(), threading.Event()

    def think(pid: int) -> None:
        asked.set()
        refuse.wait(20)
        raise LookupError("no")

    program = Program(argv=["sleep", "60"], env={"PATH": os.environ["PATH"]}, admit=think)
    starting = asyncio.create_task(launch(program))
    await asyncio.to_thread(asked.wait, 20)
    starting.cancel()
    refuse.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
