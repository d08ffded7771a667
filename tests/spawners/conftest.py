from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from carrel.spawners.warm import WarmStarts
from tests.spawners.rig import Rig, own_name


@pytest.fixture(scope="session")
def account() -> Iterator[str]:
    """An account for servers: a new one when the tests are root, else our own."""
    if os.geteuid() != 0:
        yield own_name()
        return
    name = f"carrel{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--groups", "games", name], check=True)
    yield name
    subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


@pytest.fixture(scope="session")
def warm_directory() -> Iterator[Path]:
    """Where templates are found again by the next test; they end soon after the last one."""
    place = Path(tempfile.mkdtemp(prefix="carrel-warm-test-"))
    yield place
    shutil.rmtree(place)


@pytest.fixture
async def warm_starts(warm_directory: Path) -> AsyncIterator[WarmStarts]:
    """What a hub has, connected to the templates of the tests before."""
    found = WarmStarts(warm_directory, ("--idle", "5"))
    yield found
    await found.close(end=False)


@pytest.fixture
def rig(account: str, tmp_path: Path) -> Iterator[Rig]:
    place = Path(tempfile.mkdtemp(prefix="carrel-test-"))
    place.chmod(0o755)
    yield Rig(account, place, tmp_path / "logs")
    shutil.rmtree(place)
