from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from carrel.spawners.kubernetes.api import Api, Patience, place_of
from carrel.spawners.kubernetes.credentials import Overrides, find_access
from carrel.spawners.kubernetes.watch import Watch
from tests.rigs.kubernetes import Cluster

pytestmark = pytest.mark.real
SECRETS = place_of("secrets", "default")
KEY = ("default", "x")


@pytest.fixture
async def api(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Api]:
    config = cluster.configuration(tmp_path)
    api = Api(find_access(Overrides(), {"KUBECONFIG": str(config)}), Patience(), lambda: 0.0)
    yield api
    await api.close()
    cluster.clear()


@pytest.fixture
async def watch(api: Api) -> AsyncIterator[Watch]:
    watch = Watch(api, SECRETS, {"labelSelector": "mine=yes"}, lambda: 0.0)
    yield watch
    await watch.close()


def secret(name: str = "x", mine: str = "yes") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"mine": mine}}
    return {"metadata": metadata, "stringData": {"a": "b"}}


async def heard(watch: Watch, *, there: bool = True) -> None:
    """Return when the watch knows that the secret is there, or is not."""
    with watch.following(KEY) as changed:
        async with asyncio.timeout(20):
            while bool(watch.find(KEY)) is not there:
                await changed.wait()
                changed.clear()


async def test_what_is_there_and_what_comes_and_goes_is_known(api: Api, watch: Watch) -> None:
    await api.create(SECRETS, secret())
    await api.create(SECRETS, secret("others", mine="no"))
    assert await watch.is_current()
    assert [body["metadata"]["name"] for body in watch.all()] == ["x"]
    await api.delete(f"{SECRETS}/x")
    await heard(watch, there=False)
    await api.create(SECRETS, secret())
    await heard(watch)


async def test_everybody_shares_one_watch(api: Api, watch: Watch, cluster: Cluster) -> None:
    before = cluster.asked("GET", "secrets?labelSelector")
    assert all(await asyncio.gather(*(watch.is_current() for _ in range(50))))
    # A list and a watch.
    await api.create(SECRETS, secret())
    await heard(watch)
    assert cluster.asked("GET", "secrets?labelSelector") == before + 2


async def test_a_list_may_come_in_pages(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel.spawners.kubernetes.watch._PAGE", "2")
    for number in range(5):
        await api.create(SECRETS, secret(f"x{number}"))
    watch = Watch(api, SECRETS, {}, lambda: 0.0)
    assert await watch.is_current()
    assert len(watch.all()) == 5
    await watch.close()


async def test_a_version_that_is_gone_leads_to_a_new_list(api: Api, watch: Watch, cluster: Cluster) -> None:
    assert await watch.is_current()
    with cluster.silence():
        await api.create(SECRETS, secret())
    cluster.expire_watches()
    await heard(watch)


async def test_a_watch_that_breaks_off_goes_on_where_it_was(api: Api, watch: Watch, cluster: Cluster) -> None:
    assert await watch.is_current()
    lists = cluster.asked("GET", "limit=500")
    cluster.fail("GET", "watch", 503, count=1)
    with cluster.silence():
        await api.create(SECRETS, secret())
        # Before anything tells it how far the server is.
        cluster.break_watches()
    await heard(watch)
    assert cluster.asked("GET", "limit=500") == lists


async def test_who_knows_better_makes_it_list_again(
    api: Api, watch: Watch, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carrel.spawners.kubernetes.watch._DOUBTS", 0.0)
    assert await watch.is_current()
    with cluster.silence():
        await api.create(SECRETS, secret())
        watch.doubt()
        await heard(watch)


async def test_a_copy_grows_stale_while_nobody_answers(api: Api, watch: Watch, cluster: Cluster) -> None:
    assert watch.staleness == float("inf")
    assert await watch.is_current()
    assert watch.staleness < 60
    cluster.fail("GET", "secrets", 403, count=1000)
    other = Watch(api, SECRETS, {}, lambda: 0.0)
    assert not await other.is_current()
    await other.close()
