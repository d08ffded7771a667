from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from carrel.lib import process_table
from carrel.lib.process_table import Process, environ_of, is_alive, look, running
from carrel.lib.processes import Program, collect, find_account, launch, send, wait_until_gone

pytestmark = pytest.mark.real
Launch = Callable[..., Awaitable[Process]]


@pytest.fixture
async def run() -> AsyncIterator[Launch]:
    started: list[Process] = []

    async def start(*argv: str, home: str = "/", output: int = subprocess.DEVNULL) -> Process:
        started.append(await launch(Program(argv=argv, env=dict(os.environ), home=home), output))
        return started[-1]

    yield start
    for process in started:
        send(process, signal.SIGKILL)
        assert await wait_until_gone(process, 5)
        collect(process)


async def test_a_process_is_told_from_its_successors_and_waited_for(run: Launch) -> None:
    process = await run("sleep", "60")
    assert is_alive(process)
    assert not await wait_until_gone(process, 0.05)
    waiting = asyncio.create_task(wait_until_gone(process, 10))
    assert send(process, signal.SIGTERM)
    assert await waiting
    assert not is_alive(process)
    assert collect(process) == -signal.SIGTERM
    assert collect(process) is None
    assert look(process.pid) is None
    assert not send(process, signal.SIGTERM)
    assert await wait_until_gone(process, 0)


async def test_a_stranger_with_the_pid_gets_no_signal(run: Launch) -> None:
    process = await run("sleep", "60")
    other = Process(process.pid, "1@boot")
    assert not send(other, signal.SIGKILL)
    assert await wait_until_gone(other, 0)
    assert collect(other) is None
    assert is_alive(process)


async def test_a_process_can_be_waited_for_without_pidfd(
    run: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = await run("sleep", "60")
    waiting = asyncio.create_task(wait_until_gone(process, 10))
    assert send(process, signal.SIGKILL)
    assert await waiting
    assert collect(process) == -signal.SIGKILL


async def test_a_process_is_known_without_proc(
    run: Launch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_table, "_BOOT_ID", tmp_path / "missing")
    process = await run("sleep", "60")
    assert process.start_time
    assert is_alive(process)
    assert running() == []
    assert send(process, signal.SIGKILL)
    assert await wait_until_gone(process, 10)
    assert not is_alive(process)


async def test_a_home_that_cannot_be_entered_is_said_and_replaced(run: Launch, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = await run("pwd", home="/no such home", output=log.fileno())
    assert await wait_until_gone(process, 10)
    text = (tmp_path / "log").read_text()
    assert "Cannot enter /no such home" in text
    assert text.endswith("/\n")


async def test_variables_arrive_whatever_their_names(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "Remote-User": "ada", "X.Y": "1"}
    with (tmp_path / "output").open("wb") as output:
        process = await launch(Program(argv=["env"], env=env, home=str(tmp_path)), output.fileno())
        assert await wait_until_gone(process, 10)
    collect(process)
    assert {"Remote-User=ada", "X.Y=1"} <= set((tmp_path / "output").read_text().splitlines())


async def test_what_cannot_be_executed_ends_with_127(run: Launch) -> None:
    process = await run("/no-such-program")
    assert await wait_until_gone(process, 10)
    assert collect(process) == 127


async def test_what_cannot_be_started_is_an_error() -> None:
    program = Program(argv=["no-such-program"], env={}, popen={"cwd": "/"})
    with pytest.raises(FileNotFoundError):
        await launch(program)


async def test_a_cancelled_launch_leaves_nothing() -> None:
    env = {"LAUNCH_TEST": str(os.getpid()), "PATH": os.defpath}
    task = asyncio.create_task(launch(Program(argv=["sleep", "60"], env=env)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [pid for pid in running() if environ_of(pid).get("LAUNCH_TEST") == env["LAUNCH_TEST"]] == []


async def test_a_launch_that_is_cancelled_twice_leaves_nothing_either() -> None:
    pids: list[int] = []
    begun, gate = threading.Event(), threading.Event()

    def admit(pid: int) -> None:
        pids.append(pid)
        begun.set()
        assert gate.wait(20)

    program = Program(argv=["sleep", "60"], env={"PATH": os.defpath}, admit=admit)
    task = asyncio.create_task(launch(program))
    assert await asyncio.to_thread(begun.wait, 20)
    process = process_table.find(pids[0])
    assert process is not None
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await wait_until_gone(process, 20)
    collect(process)


def test_accounts() -> None:
    root = find_account("root")
    assert (root.uid, root.gid, root.home) == (0, 0, "/root")
    with pytest.raises(KeyError):
        find_account("nobody-of-this-name")
