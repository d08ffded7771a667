from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.spawners.kubernetes.api import Api, Patience, Refused, Unreachable, place_of
from carrel.spawners.kubernetes.credentials import Access, Overrides, find_access
from tests.rigs.kubernetes import Cluster

pytestmark = pytest.mark.real
SECRET = {"metadata": {"name": "x", "namespace": "default"}, "stringData": {"a": "b"}}
SECRETS, ONE = place_of("secrets", "default"), place_of("secrets", "default", "x")


@pytest.fixture
async def api(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "token").write_text("the-hubs-token")
    config = cluster.configuration(tmp_path, tokenFile="token")
    api = Api(find_access(Overrides(), {"KUBECONFIG": str(config)}), Patience(10.0, 5.0), lambda: 0.5)
    yield api
    await api.close()
    cluster.clear()


def test_names_cannot_leave_their_place() -> None:
    assert place_of("pods", "a/../b", "../x?y") == "/api/v1/namespaces/a%2F..%2Fb/pods/..%2Fx%3Fy"


async def test_an_object_is_made_found_changed_and_deleted(api: Api) -> None:
    uid = (await api.create(SECRETS, SECRET))["metadata"]["uid"]
    with pytest.raises(Refused, match="already exists") as refusal:
        await api.create(SECRETS, SECRET)
    assert refusal.value.status == 409
    await api.patch(ONE, {"metadata": {"labels": {"a": "b"}}})
    assert (await api.get(ONE))["metadata"]["labels"] == {"a": "b"}
    assert not await api.delete(ONE, uid="another")
    assert await api.delete(ONE, uid=uid)
    assert not await api.delete(ONE)
    assert await api.find(ONE) is None


@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_what_may_pass_is_asked_again(api: Api, cluster: Cluster, status: int) -> None:
    cluster.fail("POST", "secrets", status, count=2)
    await api.create(SECRETS, SECRET)
    assert "x" in cluster.all("secrets")


async def test_what_will_not_change_is_raised_at_once(api: Api, cluster: Cluster) -> None:
    asked = cluster.asked("GET", ONE)
    cluster.fail("GET", "secrets", 403)
    with pytest.raises(Refused) as refusal:
        await api.find(ONE)
    assert refusal.value.status == 403
    assert cluster.asked("GET", ONE) == asked + 1


async def test_in_the_end_the_last_refusal_is_raised(cluster: Cluster, api: Api) -> None:
    cluster.fail("GET", "secrets", 500, count=100)
    impatient = Api(api.access, Patience(10.0, 1.0), lambda: 0.5)
    with pytest.raises(Refused, match="made to fail"):
        await impatient.find(ONE)
    await impatient.close()


async def test_everybody_waits_as_long_as_one_is_told_to(api: Api, cluster: Cluster) -> None:
    cluster.fail("GET", "secrets", 429, retry="1")
    loop = asyncio.get_running_loop()
    began = loop.time()
    first = asyncio.create_task(api.find(ONE))
    while not cluster.asked("GET", ONE):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    await asyncio.gather(first, api.find(place_of("pods", "default", "y")))
    # A clock that is asked for one second may come a moment early.
    assert loop.time() - began > 0.9


async def test_a_refused_token_is_read_anew(api: Api, cluster: Cluster, tmp_path: Path) -> None:
    await api.find(ONE)
    cluster.change_token("another")
    try:
        with pytest.raises(Refused, match="Unauthorized"):
            await api.find(ONE)
        (tmp_path / "token").write_text("another")
        assert await api.find(ONE) is None
    finally:
        cluster.change_token("the-hubs-token")


async def test_nobody_there_is_unreachable() -> None:
    api = Api(Access(server="http://127.0.0.1:1"), Patience(0.2, 0.3), lambda: 0.0)
    try:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 does not answer"):
            await api.find(ONE)
    finally:
        await api.close()
