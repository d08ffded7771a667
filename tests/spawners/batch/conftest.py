from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.slurm import Slurm, running_slurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A cluster of one node, whose directory every account may enter."""
    directory = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp"))
    directory.chmod(0o755)
    with running_slurm(directory) as slurm:
        yield slurm
    shutil.rmtree(directory)
