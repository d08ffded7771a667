from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.lib.process_table import look
from carrel.lib.processes import Program, find_account, send
from carrel.spawners.scripts import NoWarmStart, Script
from carrel.spawners.warm import WarmStarts, check
from carrel.spawners.warm_request import request_for
from carrel.spawners.warm_template import Kind, WarmTemplate
from carrel.warmstart import wire
from carrel.warmstart.marks import CONTRACT
from carrel.warmstart.template import listen
from tests.spawners.rig import WARM_COMMAND, Rig, own_name, sleeper

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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers of others")
async def test_no_process_of_its_owner_gets_at_a_server_that_still_talks_to_the_hub(
    rig: Rig, warm_starts: WarmStarts
) -> None:
    # Whoever had its connection could name any process of the machine as the server, to be ended by root.
    account, owners = find_account(rig.account), []
    wanted = replace(program(rig, lambda pid: owners.append(owner_of_files(pid))), account=account)
    made = await warm_starts.launch(wanted, subprocess.DEVNULL, [WARM_COMMAND])
    assert made is not None
    assert owners == [(0, account.uid)]
    send(made.process, signal.SIGKILL)
    await made.exit_status()


def owner_of_files(pid: int) -> tuple[int, int]:
    """Return whose a process is to look into, which is root's alone of one that may not, and its uid."""
    status = Path(f"/proc/{pid}/status").read_text()
    return os.stat(f"/proc/{pid}/environ").st_uid, int(status.partition("Uid:")[2].split()[0])


@pytest.mark.parametrize("whose", ["another parent's", "another account's"])
def test_a_template_cannot_name_a_process_that_is_no_child_of_its_own_and_its_users(
    rig: Rig, tmp_path: Path, whose: str
) -> None:
    stranger = sleeper()
    named, account = (os.getppid(), own_name()) if whose == "another parent's" else (stranger.pid, "nobody")
    start = listen(str(tmp_path / wire.START_SOCKET))

    def answer() -> None:
        start.setblocking(True)
        connection, _ = start.accept()
        with connection:
            wire.receive_request(connection)
            connection.sendall(wire.encode({"pid": named}))
            heard.append(connection.recv(1))

    heard: list[bytes] = []
    thread = threading.Thread(target=answer)
    thread.start()
    template = WarmTemplate(tmp_path, Kind("/usr/bin/python3", {}, others=True), check)
    admitted: list[int] = []
    try:
        wanted = replace(program(rig, admitted.append), account=find_account(account))
        request = request_for(wanted, Script(rig.script(), "/usr/bin/python3"))
        with open(os.devnull, "wb") as null, pytest.raises(NoWarmStart, match="none of its own"):
            template.ask(request, null.fileno(), admitted.append)
    finally:
        thread.join()
        start.close()
        stranger.kill()
        stranger.wait()
    assert (admitted, heard) == ([], [b""])
