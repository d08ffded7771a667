"""What several chapters of the tutorial need of the machine."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.needs import need
from tests.tutorial.examples import TUTORIAL


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that every account may read, as pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def system_kernel() -> Iterator[str]:
    """A kernel that the example's script installed for all users; gone after the test."""
    need(os.geteuid() == 0, "root, who may install a kernel for everybody,")
    name = f"carrel-t{secrets.token_hex(4)}"
    script = TUTORIAL / "kernels" / "install-kernel.sh"
    try:
        subprocess.run([script, name, "For everybody", sys.executable], check=True, capture_output=True)
        yield name
    finally:
        shutil.rmtree(f"/usr/local/share/jupyter/kernels/{name}", ignore_errors=True)
