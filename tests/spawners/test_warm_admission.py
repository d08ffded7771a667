from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.lib.process_table import look
from carrel.lib.processes import Program, send
from carrel.spawners.warm import WarmStarts
from carrel.warmstart.marks import CONTRACT
from tests.spawners.rig import WARM_COMMAND, Rig

pytestmark = pytest.mark.real


def program(rig: Rig, admit: Callable[[int], None]) -> Program:
    env = {**dict.fromkeys(CONTRACT, "/"), "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/"}
    return Program(argv=[rig.script(), "parent"], env=env, admit=admit)


async def test_a_server_waits_until_it_is_admitted(rig: Rig, warm_starts: WarmStarts) -> None:
    seen: list[tuple[int, str]] = []

    def admit(pid: int) -> None:
        seen.append((pid, Path(f"/proc/{pid}/comm").read_text().strip()))

    made = await warm_starts.launch(program(rig, admit), subprocess.DEVNULL, [WARM_COMMAND])
    assert made is not None
    assert seen == [(made.process.pid, WARM_COMMAND)]
    send(made.process, signal.SIGKILL)
    assert await made.exit_status() in (-signal.SIGKILL, 1)


async def test_a_server_that_is_not_admitted_is_gone(rig: Rig, warm_starts: WarmStarts) -> None:
    seen: list[int] = []

    def admit(pid: int) -> None:
        seen.append(pid)
        raise PermissionError("no group for it")

    with pytest.raises(PermissionError, match="no group"):
        await warm_starts.launch(program(rig, admit), subprocess.DEVNULL, [WARM_COMMAND])
    assert [pid for pid in seen if (found := look(pid)) is not None and found.state != "Z"] == []


async def test_a_server_with_name_spaces_is_started_the_usual_way(rig: Rig, warm_starts: WarmStarts) -> None:
    wanted = replace(program(rig, lambda pid: None), surround=lambda: None)
    assert await warm_starts.launch(wanted, subprocess.DEVNULL, [WARM_COMMAND]) is None
