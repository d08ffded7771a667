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

#: Runs where systemd sees it. A scope goes with its last process, so one stays until all is read.
PROGRAM = """
import json, subprocess, sys
from carrel.lib.control_groups.limits import Limits
from carrel.lib.control_groups.machine import admit, find_group, lacking, probe
limits = Limits(memory=64 << 20, memory_guarantee=1 << 20, cpu=0.5, cpu_guarantee=0.5, pids=12)
machine = probe()
assert machine.systemd and not lacking(machine, limits), machine
hog = [sys.executable, "-S", "-c", "x = b'x' * (200 << 20)"]
words = [sys.executable, "-S", "-c", f"import subprocess; input(); print(subprocess.call({hog})); input()"]
with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
    group = admit(machine, process.pid, "carrel-test-7-2", limits)
    process.stdin.write(b"\\n")
    process.stdin.flush()
    status, seen, held = int(process.stdout.readline()), group.read(), group.in_force()
    found = find_group(process.pid, "carrel-test-7-2") == group
    ended = group.end(), process.wait()
print(json.dumps([status, seen.killed, seen.at_limit, held == Limits(64 << 20, None, 0.5, None, 12),
                  found, group.keeps_apart, *ended]))
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
    assert json.loads(done.stdout) == [-9, 1, True, True, True, True, True, -9]
