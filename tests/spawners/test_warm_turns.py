"""Several at once ask for a template, for its end, or for nothing any more."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carrel.lib.control_groups.limits import CannotLimit
from carrel.lib.process_table import Process
from carrel.lib.processes import Program
from carrel.spawners import warm, warm_template
from carrel.spawners.scripts import Script
from carrel.spawners.warm_template import Kind, StaleTemplate, WarmTemplate
from carrel.warmstart import wire
from carrel.warmstart.template import listen

KIND = Kind(sys.executable, {}, others=False)
SCRIPT = Script("/bin/true", sys.executable)


async def _good(template: WarmTemplate) -> None:
    """Find nothing wrong."""


@pytest.mark.real
async def test_who_hears_late_of_a_templates_end_does_not_leave_the_next_one(tmp_path: Path) -> None:
    with listen(str(tmp_path / wire.HUB_SOCKET)):
        template = WarmTemplate(tmp_path, KIND, _good)
        await template.prepare()
        old = template.connection
        template.forget(old)
        assert not template.connected
        await template.prepare()
        template.forget(old)
        assert template.connected
        await template.close(end=False)


@pytest.mark.real
async def test_whoever_has_the_number_of_a_template_that_has_ended_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[int] = []
    monkeypatch.setattr(warm_template, "find", lambda pid: Process(pid, "another start"))
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    try:
        # The number is this process's own.
        with listen(str(tmp_path / wire.HUB_SOCKET)):
            template = WarmTemplate(tmp_path, KIND, _good)
            await template.prepare()
            await template.retire()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not template.connected
    assert not signals


@pytest.mark.real
async def test_a_template_that_is_being_started_when_the_hub_ends_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, goes_on = asyncio.Event(), threading.Event()
    loop, started = asyncio.get_running_loop(), list[subprocess.Popen[bytes]]()

    def spawn(template: WarmTemplate) -> subprocess.Popen[bytes]:
        loop.call_soon_threadsafe(asked.set)
        assert goes_on.wait(30)
        started.append(subprocess.Popen(["sleep", "600"]))
        return started[0]

    monkeypatch.setattr(WarmTemplate, "_spawn", spawn)
    template = WarmTemplate(tmp_path, KIND, _good)
    preparing = asyncio.create_task(template.prepare())
    await asked.wait()
    closing = asyncio.create_task(template.close(end=False))
    await asyncio.sleep(0)
    goes_on.set()
    await closing
    await asyncio.gather(preparing, return_exceptions=True)
    try:
        assert started[0].wait(20) == -signal.SIGKILL
    finally:
        started[0].kill()


async def test_a_trial_that_fails_leaves_the_other_one_what_it_writes_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes_on, written = asyncio.Event(), list[int]()

    async def start_in(template: Any, program: Program, script: Script, output: int) -> Any:
        if not written:
            written.append(output)
            raise StaleTemplate("it is old")
        await goes_on.wait()
        written.append(os.fstat(output).st_size)
        raise StaleTemplate("it is old")

    monkeypatch.setattr(warm, "start_in", start_in)
    template: Any = WarmTemplate(Path("/nowhere"), KIND, _good)
    checking = asyncio.create_task(warm.check(template))
    for _ in range(10):
        await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(StaleTemplate):
        await checking
    assert len(written) == 2


async def test_a_start_that_is_cancelled_ends_so_whatever_comes_of_it() -> None:
    asked, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Template:
        def ask(self, request: object, output: int, admit: Callable[[int], None] | None) -> int:
            loop.call_soon_threadsafe(asked.set)
            assert goes_on.wait(30)
            raise CannotLimit("memory", "there are no control groups")

    template: Any = Template()
    program = Program(argv=[SCRIPT.path], env={})
    starting = asyncio.create_task(warm.start_in(template, program, SCRIPT, -3))
    await asked.wait()
    starting.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
