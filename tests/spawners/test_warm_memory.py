"""What is in the memory of a template and of its children: nothing of another user's."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import pytest
from traitlets.config import Config

from carrel.lib.process_table import look
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.run import make_spawner
from carrel.spawners.warm import WarmStarts
from tests.spawners.rig import WARM_COMMAND, Rig, hub_view, report_of, run_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of others"),
]


def memory_holds(pid: int, secret: bytes) -> int:
    """Return how often a secret is in the memory of a process that is written to or could be."""
    count = 0
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            bounds, access, *_ = line.split()
            if not access.startswith("r") or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            # What belongs to a device nobody reads; that the own token is found shows that the search works.
            with contextlib.suppress(OSError):
                memory.seek(start)
                count += memory.read(end - start).count(secret)
    return count


async def test_a_users_token_is_in_no_other_process(rig: Rig, warm_starts: WarmStarts) -> None:
    tokens = [secrets.token_hex(24) for _ in range(3)]
    script, drivers = rig.script(), []
    for number, token in enumerate(tokens):
        config = Config()
        config.Spawner.cmd = [script, "serve"]
        config.LocalProcessSpawner.warm_start_commands = [WARM_COMMAND]
        hub = hub_view(warm_starts=warm_starts)
        run = run_of(rig.account, hub=hub, server_id=number + 1, api_token=token, log_directory=str(rig.logs))
        drivers.append(make_spawner(LocalProcessSpawner, run, config))
    try:
        for driver in drivers:
            await driver.start()
            assert (await report_of(driver))["env"]["JUPYTERHUB_API_TOKEN"] == driver.api_token
        seen = [look(driver.pid) for driver in drivers]
        template = {one.parent for one in seen if one is not None}.pop()
        assert "carrel-warmstart" in Path(f"/proc/{template}/cmdline").read_text()
        for owner, token in enumerate(tokens):
            found = [memory_holds(driver.pid, token.encode()) for driver in drivers]
            assert found[owner] > 0, "the search finds what is there"
            assert [count for number, count in enumerate(found) if number != owner] == [0, 0]
            assert memory_holds(template, token.encode()) == 0
    finally:
        for driver in drivers:
            await driver.stop(now=True)
