from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from carrel.lib import process_tree
from carrel.lib.process_tree import spent_by_tree

#: Two children, one of them of a thread, each with 30 MB that they do not share; then it has said so.
PROGRAM = """
import subprocess, sys, threading
words = [sys.executable, "-S", "-c", "x = bytearray(30_000_000); print(1, flush=True); input()"]
def start():
    children.append(subprocess.Popen(words, stdin=-1, stdout=-1))
children = []
start()
thread = threading.Thread(target=lambda: (start(), input()))
thread.start()
while len(children) < 2: pass
for child in children: child.stdout.readline()
print(1, flush=True)
thread.join()
"""


@pytest.mark.real
@pytest.mark.parametrize("listed", [True, False])
def test_a_tree_uses_what_all_of_it_uses(
    listed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also on kernels that do not list the children of a process."""
    if not listed:
        monkeypatch.setattr(process_tree, "_CHILDREN", tmp_path / "none")
    with subprocess.Popen([sys.executable, "-S", "-c", PROGRAM], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        spent = spent_by_tree(process.pid)
        process.communicate(b"\n")
    assert spent is not None
    assert spent.processes == 3
    assert spent.memory > 60_000_000
    assert spent.cpu > 0
    assert spent_by_tree(process.pid) is None
