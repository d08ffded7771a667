"""What the driver does on a cluster, hiccups and hostile neighbours included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.request import urlopen

import pytest

from carrel.spawners.errors import StartError
from carrel.spawners.kubernetes.api import Refused, Unreachable
from carrel.spawners.kubernetes.spawner import KubeSpawner, _orphan
from carrel.spawners.shared import Shared
from tests.rigs.kubernetes import Cluster
from tests.rigs.kubernetes_node import ABSENT, DYING
from tests.spawners.kubernetes.rig import NAME, Make, spawner, uid
from tests.spawners.rig import hub_view, user_view

pytestmark = pytest.mark.real


async def eventually(look: Callable[[], Any]) -> Any:
    """Return the first true answer."""
    async with asyncio.timeout(20):
        while not (found := look()):
            await asyncio.sleep(0.02)
    return found


async def page_of(driver: KubeSpawner) -> str:
    """Return whose server answers where the driver says."""

    def fetch() -> str:
        with urlopen(driver.server.url, timeout=5) as reply:
            return str(reply.read().decode().split()[0])

    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.to_thread(fetch)
            except OSError:
                await asyncio.sleep(0.05)


async def test_an_earlier_run_makes_way(make: Make, cluster: Cluster) -> None:
    await make(run={"generation": 1}).start()
    first, secret = uid(cluster), cluster.all("secrets")[NAME]["metadata"]["uid"]
    driver = make()
    await driver.start()
    assert uid(cluster) != first
    assert cluster.all("secrets")[NAME]["metadata"]["uid"] != secret
    # Whoever still has the earlier checkpoint does nothing to the later pod.
    old = make({"pod_name": NAME, "namespace": "default", "uid": first}, run={"generation": 1})
    assert await old.poll() is not None
    later = cluster.all("secrets")[NAME]["metadata"]["uid"]
    await old.stop(now=True)
    assert await driver.poll() is None
    assert cluster.all("secrets")[NAME]["metadata"]["uid"] == later


async def test_a_start_that_was_cut_off_before_it_heard_of_its_pod_leaves_none(
    make: Make, cluster: Cluster
) -> None:
    # What the API server has made, and nobody has a note of.
    await make().start()
    await make(run={"generation": 1}).stop(now=True)
    assert NAME in cluster.all("pods")
    await make().stop(now=True)
    assert NAME not in cluster.all("pods")
    assert NAME not in cluster.all("secrets")


async def test_a_newer_run_does_not_make_way(make: Make, cluster: Cluster) -> None:
    newer = make(run={"generation": 3})
    await newer.start()
    with pytest.raises(StartError, match="newer run"):
        await make().start()
    assert await newer.poll() is None


async def test_a_pod_of_kubespawner_makes_way_for_its_owner_alone(make: Make, cluster: Cluster) -> None:
    cluster.leave_over(NAME)
    with pytest.raises(StartError, match=f"There is a pod {NAME}"):
        await make().start()
    cluster.annotate(NAME, {"hub.jupyter.org/username": "alice"})
    await make().start()
    assert cluster.all("pods")[NAME]["spec"]["containers"][0]["image"] == "plain:1"


async def test_a_running_pod_of_kubespawner_is_gone_on_with(make: Make, cluster: Cluster) -> None:
    cluster.leave_over("jupyter-old")
    state = {
        "pod_name": "jupyter-old",
        "namespace": "default",
        "dns_name": "x",
        "kubespawner_version": "7.0.0",
    }
    driver = make(state)
    assert driver.get_state() == state
    assert await driver.poll() is None
    await driver.stop()
    assert cluster.all("pods") == {}
    assert await driver.poll() is not None


@pytest.mark.parametrize("status", [0, 500])
async def test_a_lost_answer_makes_no_second_pod(make: Make, cluster: Cluster, status: int) -> None:
    cluster.fail("POST", "pods", status, after=True)
    driver = make()
    await driver.start()
    assert driver.pod_uid == uid(cluster)
    assert await driver.poll() is None


@pytest.mark.parametrize("after", [False, True])
async def test_whichever_request_is_lost_nothing_is_left_behind(
    make: Make, cluster: Cluster, after: bool
) -> None:
    settings: dict[str, Any] = {"k8s_api_request_retry_timeout": 0, "services_enabled": True}
    assert await make().cluster.pods("default").is_current()
    for number in range(30):
        cluster.fail_one(number, after=after)
        driver = make(**settings)
        with suppress(StartError):
            await driver.start()
        met = not cluster.heal()
        # What the hub does after a start that failed: without a checkpoint it asks what there is.
        found = await driver.cluster.list_pods("default")
        if not driver.get_state() and found:
            [orphan] = [_orphan(body) for body in found]
            assert await driver.recognize(orphan)
        await driver.stop(now=True)
        assert (cluster.all("pods"), cluster.all("secrets"), cluster.all("services")) == ({}, {}, {})
        if not met:
            break
    # A look whether the name is free, Secret, pod, the Secret's owner, service; maybe looks at the pod.
    assert 5 <= number < 29


async def test_an_api_server_that_does_not_answer_ends_nobody(make: Make, cluster: Cluster) -> None:
    driver = make(k8s_api_request_retry_timeout=1)
    await driver.start()
    assert await driver.poll() is None
    cluster.fail("GET", "pods", 503, count=1000)
    # What the watch has said is still good.
    assert await driver.poll() is None
    other = make(driver.get_state(), k8s_api_request_retry_timeout=0)
    with pytest.raises((Refused, Unreachable)):
        await other.poll()


async def test_a_start_outlasts_an_api_server_that_is_gone(make: Make, cluster: Cluster) -> None:
    driver = make(k8s_api_request_retry_timeout=0)
    with cluster.slow_pull():
        starting = asyncio.create_task(driver.start())
        await eventually(lambda: driver.pod_uid and cluster.asked("PATCH", "secrets"))
        cluster.fail("GET", "pods", 500, count=2)
        cluster.break_watches()
    await starting
    # The same for who goes on with it.
    cluster.fail("GET", "pods", 503, count=1)
    again = make(driver.get_state(), k8s_api_request_retry_timeout=0)
    assert await again.resume_start() == driver.server.host


async def test_a_stop_asks_for_no_more_than_it_has_to(make: Make, cluster: Cluster) -> None:
    driver = make()
    await driver.start()
    await driver.stop()
    deleted = cluster.asked("DELETE", "pods")
    await driver.run_post_stop_hook()
    assert cluster.asked("DELETE", "pods") == deleted


async def test_a_pod_that_the_watch_never_told_of_is_found(make: Make, cluster: Cluster) -> None:
    driver = make()
    assert await driver.cluster.pods("default").is_current()
    with cluster.silence(), cluster.slow_pull():
        starting = asyncio.create_task(driver.start())
        await eventually(lambda: driver.pod_uid)
    with cluster.silence():
        await starting
    assert await driver.poll() is None


async def test_a_start_that_was_cut_off_goes_on(make: Make, cluster: Cluster) -> None:
    driver = make()
    assert await driver.resume_start() is None
    with cluster.slow_pull():
        starting = asyncio.create_task(driver.start())
        await eventually(driver.get_state)
        starting.cancel()
        await asyncio.wait((starting,))
    again = make(driver.get_state())
    assert await again.resume_start() == again.server.host
    assert await page_of(again) == "alice"
    cluster.delete(NAME)
    assert await make(driver.get_state()).resume_start() is None


async def test_what_no_row_knows_is_found_and_recognized_by_its_own_server(
    make: Make, cluster: Cluster
) -> None:
    with cluster.slow_pull():
        starting = asyncio.create_task(make().start())
        await eventually(lambda: NAME in cluster.all("pods"))
        starting.cancel()
        await asyncio.wait((starting,))
        [orphan] = await make(run={"server_id": 0, "generation": 0}).find_orphans([(9, 9)])
        assert (orphan.server_id, orphan.generation, orphan.user_name) == (7, 2, "alice")
        assert await make().find_orphans([(7, 2)]) == []
    bob = make(run={"user": user_view("bob")})
    assert not await bob.recognize(orphan)
    assert not await make(run={"generation": 3}).recognize(orphan)
    assert not await make(enable_user_namespaces=True).recognize(orphan)
    driver = make()
    assert await driver.recognize(orphan)
    assert await driver.poll() is None
    await driver.stop(now=True)
    assert cluster.all("pods") == cluster.all("secrets") == {}


async def test_the_cluster_of_another_hub_is_none_of_ours(make: Make, cluster: Cluster) -> None:
    await make().start()
    # What a hub watches is its own.
    shared = Shared()
    other = spawner(shared, run={"hub": hub_view(hub_id="another")})
    assert await other.find_orphans([]) == []
    await shared.close()


async def test_what_the_cluster_refuses_is_told(make: Make, cluster: Cluster) -> None:
    with pytest.raises(
        StartError, match=r"Kubernetes does not take the server: Pod jupyter-alice is invalid"
    ):
        await make(extra_pod_config={"affinity": {"nonsense": 1}}).start()
    cluster.fail("POST", "pods", 403)
    with pytest.raises(StartError, match="made to fail") as refused:
        await make().start()
    assert "service account" in refused.value.hint
    with pytest.raises(StartError, match=r"image absent/image:1 cannot be had \(ImagePullBackOff\)"):
        await make(image=ABSENT).start()


async def test_a_pod_without_a_machine_waits_in_the_clusters_queue(make: Make, cluster: Cluster) -> None:
    driver = make()
    with cluster.no_room():
        starting = asyncio.create_task(driver.start())
        events = driver.progress()
        said = [await anext(events) for _ in range(2)]
        assert said[1]["message"].startswith(
            "No machine has room for the server yet: 0/1 nodes are available"
        )
        async with asyncio.timeout(20):
            while (waiting := await driver.waiting()) is None:
                await asyncio.sleep(0.02)
        assert "room" in waiting.reason
        assert "FailedScheduling: 0/1 nodes are available" in await driver.logs()
    await starting
    async with asyncio.timeout(20):
        while await driver.waiting() is not None:
            await asyncio.sleep(0.02)
    await events.aclose()  # type: ignore[attr-defined]


async def test_who_restarts_containers_is_told_of_one_that_ends_again_and_again(
    make: Make, cluster: Cluster
) -> None:
    driver = make(image=DYING, extra_pod_config={"restartPolicy": "OnFailure"})
    try:
        await driver.start()
    except StartError as error:
        assert "CrashLoopBackOff" in str(error)  # noqa: PT017
    await eventually(lambda: cluster.all("pods")[NAME]["status"]["containerStatuses"][0]["restartCount"])
    said = await driver.logs()
    assert "cannot go on: the reason" in said
    assert "Container notebook waits: CrashLoopBackOff" in said


async def test_memory_is_measured_and_a_pod_that_was_deleted_explained(make: Make, cluster: Cluster) -> None:
    driver = make()
    assert await driver.usage() is None
    await driver.start()
    usage = await driver.usage()
    assert usage is not None
    assert usage.memory == 2048 * 1024
    cluster.delete(NAME)
    async with asyncio.timeout(20):
        while await driver.poll() is None:
            await asyncio.sleep(0.02)
    assert await driver.poll() == 0
    assert await driver.logs() == f"The pod {NAME} was deleted."


async def test_a_hub_without_a_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/not/there")
    with pytest.raises(StartError, match="finds no Kubernetes cluster"):
        await spawner(Shared()).start()


async def test_all_servers_of_a_hub_share_one_watch(make: Make, cluster: Cluster) -> None:
    before = cluster.asked("GET", "watch=true")
    drivers = [make(run={"user": user_view(f"user{n}"), "server_id": n}) for n in range(5)]
    await asyncio.gather(*(driver.start() for driver in drivers))
    assert [await driver.poll() for driver in drivers] == [None] * 5
    await asyncio.gather(*(driver.stop(now=True) for driver in drivers))
    assert cluster.asked("GET", "watch=true") == before + 1
    [measure] = drivers[0].shared.measures()
    assert measure.labels == (("kind", "pods"), ("namespace", "default"))
    assert measure.value < 80
