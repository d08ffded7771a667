from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane import harness
from tests.dataplane.harness import Backend, Proxy, backend, proxy
from tests.dataplane.side_by_side import Pair, both


@pytest.fixture
async def behind() -> AsyncIterator[Backend]:
    async with backend() as server:
        yield server


@pytest.fixture
def workers() -> int:
    """How many processes forward; a module may have its tests run with several numbers."""
    return 1


@pytest.fixture(autouse=True)
def usual_workers(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "WORKERS", workers)


@pytest.fixture
async def front(tmp_path: Path, behind: Backend) -> AsyncIterator[Proxy]:
    """A proxy whose route /user/u leads to `behind`."""
    async with proxy(tmp_path) as running:
        await running.route("/user/u", behind.url)
        yield running


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with both(tmp_path) as running:
        yield running
