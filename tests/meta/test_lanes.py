"""What `make test` says in the end: that all went well only when it did."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Stands for Python with pytest: the lane of tests that calculate is known by its marks.
STAND_IN = """#!/bin/sh
case "$*" in
  *"not real and not e2e"*) echo calculated; exit {quick} ;;
  *"real or e2e"*) echo waited; exit {slow} ;;
esac
"""


@pytest.mark.parametrize(("quick", "slow", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 2, 1)])
def test_the_suite_passes_when_both_lanes_do(tmp_path: Path, quick: int, slow: int, status: int) -> None:
    python = tmp_path / "python"
    python.write_text(STAND_IN.format(quick=quick, slow=slow))
    python.chmod(0o755)
    command = [ROOT / "dev/lanes.sh", python]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    assert done.stdout.split("\n") == ["waited", "== Tests that start no process", "calculated", ""]
