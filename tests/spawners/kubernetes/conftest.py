from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from carrel.spawners.shared import Shared
from tests.rigs.kubernetes import Cluster, running_cluster
from tests.spawners.kubernetes.rig import Make, spawner


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
async def shared(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shared]:
    """What the drivers of a hub have in common, with the stand-in as their cluster."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.configuration(tmp_path)))
    shared = Shared()
    yield shared
    await shared.close()
    cluster.clear()


@pytest.fixture
def make(shared: Shared) -> Make:
    """Makes drivers."""
    return partial(spawner, shared)
