"""Scopes that a real systemd makes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.rigs.places import ROOT
from tests.rigs.systemd import Systemd, start_bus, systemd

pytestmark = pytest.mark.real

#: Runs where systemd sees it.
PROGRAM = """
import json, subprocess, sys
from carrel.lib.control_groups.limits import Limits
from carrel.lib.control_groups.machine import admit, find_group, lacking, probe
limits = Limits(memory=64 << 20, memory_guarantee=1 << 20, cpu=0.5, cpu_guarantee=0.5, pids=12)
machine = probe()
assert machine.systemd and not lacking(machine, limits), machine
said = []
for program in ("x = b'x' * (200 << 20)", "import time; time.sleep(60)"):
    words = [sys.executable, "-S", "-c", f"input(); {program}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        group = admit(machine, process.pid, "carrel-test-7-2", limits)
        found = find_group(process.pid, "carrel-test-7-2") == group
        process.stdin.write(b"\\n")
        process.stdin.close()
        if "sleep" in program:
            assert group.end()
        status, seen = process.wait(), group.read()
        held = group.in_force() != Limits()
        said.append([status, found, group.keeps_apart, held, seen.killed, seen.at_limit])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def manager() -> Iterator[Systemd]:
    with systemd() as running:
        start_bus(running)
        yield running


def test_a_process_is_held_to_its_limits_by_its_scope(manager: Systemd) -> None:
    command = [*manager.enter, sys.executable, "-c", PROGRAM]
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    hog, sleeper = json.loads(done.stdout)
    assert hog == [-9, True, True, True, 1, True]
    assert sleeper[:4] == [-9, True, True, True]
