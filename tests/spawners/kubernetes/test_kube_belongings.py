"""What is made for a server on a cluster: Secret, service, claim, namespace, and what hooks make of a pod."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from carrel.spawners.errors import StartError
from carrel.spawners.kubernetes.manifest import Pod
from carrel.spawners.kubernetes.spawner import KubeSpawner
from tests.rigs.kubernetes import Cluster
from tests.spawners.kubernetes.rig import NAME, Make, uid
from tests.spawners.rig import user_view

pytestmark = pytest.mark.real


async def test_no_token_is_in_the_pod_and_its_secret_goes_with_it(make: Make, cluster: Cluster) -> None:
    driver = make(environment={"DB_PASSWORD": "hunter2", "COURSE": "{username}"})
    await driver.start()
    shown, secret = json.dumps(cluster.all("pods")), cluster.all("secrets")[NAME]
    assert "a-token" not in shown
    assert "hunter2" not in shown
    values = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert values == {"JUPYTERHUB_API_TOKEN": "a-token", "JPY_API_TOKEN": "a-token", "DB_PASSWORD": "hunter2"}
    assert {"name": "COURSE", "value": "alice"} in cluster.all("pods")[NAME]["spec"]["containers"][0]["env"]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == uid(cluster)
    cluster.delete(NAME)
    assert cluster.all("secrets") == {}


async def test_somebody_elses_pod_secret_and_claim_are_left_alone(make: Make, cluster: Cluster) -> None:
    other: dict[str, Any] = {"user": user_view("bob"), "server_id": 8}
    await make(run=other, pod_name_template="same", secret_name_template="bobs").start()
    with pytest.raises(StartError, match="There is a pod same that is not of this server"):
        await make(pod_name_template="same").start()
    with pytest.raises(StartError, match="The secret bobs is there and is not of this server"):
        await make(secret_name_template="bobs").start()
    claims: dict[str, Any] = {
        "storage_pvc_ensure": True,
        "storage_capacity": "1Gi",
        "pvc_name_template": "files",
    }
    await make(run={**other, "name": "b"}, **claims).start()
    with pytest.raises(StartError, match="claim files belongs to another user"):
        await make(**claims).start()
    assert set(cluster.all("pods")) == {"same", "jupyter-bob--b"}


async def test_each_user_may_have_a_namespace(make: Make, cluster: Cluster) -> None:
    driver = make(enable_user_namespaces=True, user_namespace_labels={"of": "{username}"})
    await driver.start()
    assert cluster.all("namespaces")["user-alice"]["metadata"]["labels"] == {"of": "alice"}
    assert cluster.all("pods")[NAME]["metadata"]["namespace"] == "user-alice"
    again = make(driver.get_state(), enable_user_namespaces=True)
    assert await again.poll() is None
    assert await make(enable_user_namespaces=True).find_orphans([(7, 2)]) == []
    await again.stop()


async def test_a_service_may_stand_before_a_server(make: Make, cluster: Cluster) -> None:
    driver = make(services_enabled=True)
    assert await driver.start() == f"http://{NAME}.default.svc.cluster.local:8888"
    service = cluster.all("services")[NAME]
    labels = cluster.all("pods")[NAME]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["metadata"]["ownerReferences"][0]["uid"] == driver.pod_uid


async def test_claims_are_made_kept_and_deleted_with_their_server(make: Make, cluster: Cluster) -> None:
    settings: dict[str, Any] = {"storage_pvc_ensure": True, "storage_capacity": "1Gi", "storage_class": ""}
    named = {"name": "lab"}
    await make(run=named, **settings).start()
    assert cluster.all("persistentvolumeclaims")["claim-alice--lab"]["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
    }
    await make(run=named, delete_pvc=False, **settings).delete_forever()
    assert "claim-alice--lab" in cluster.all("persistentvolumeclaims")
    await make(run=named, **settings).delete_forever()
    assert cluster.all("persistentvolumeclaims") == {}
    shared: dict[str, Any] = {**settings, "pvc_name_template": "claim-{username}"}
    await make(run={**named, "generation": 3}, **shared).start()
    await make(run=named, **shared).delete_forever()
    assert "claim-alice" in cluster.all("persistentvolumeclaims")
    with pytest.raises(StartError, match="storage_capacity"):
        await make(storage_pvc_ensure=True, pvc_name_template="another").start()


async def test_a_claim_of_an_older_kubespawner_is_gone_on_with(make: Make, cluster: Cluster) -> None:
    metadata = {"name": "claim-a-2eb", "namespace": "default", "annotations": {}}
    cluster.put("persistentvolumeclaims", {"metadata": metadata})
    settings: dict[str, Any] = {"storage_pvc_ensure": True, "storage_capacity": "1Gi"}
    settings["volumes"] = [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]
    await make(run={"user": user_view("a.b")}, **settings).start()
    assert set(cluster.all("persistentvolumeclaims")) == {"claim-a-2eb"}
    [pod] = cluster.all("pods").values()
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "claim-a-2eb"


async def test_hooks_may_change_the_pod_and_are_told_of_it(make: Make, cluster: Cluster) -> None:
    def change(spawner: KubeSpawner, pod: Pod) -> Pod:
        pod.metadata.labels, pod.metadata.annotations = {"course": "statistics"}, {}
        pod.spec.termination_grace_period_seconds = 7
        pod.spec.containers[0].env.append({"name": "HOOKED", "value": spawner.pod_name})  # type: ignore[arg-type]
        return pod

    told: list[str] = []

    async def after(_: KubeSpawner, pod: dict[str, Any]) -> None:
        told.append(pod["metadata"]["uid"])

    driver = make(
        modify_pod_hook=change,
        after_pod_created_hook=after,
        uid=lambda _: 1000,
        get_pod_url=lambda _, pod: f"http://x:{pod['spec']['containers'][0]['ports'][0]['containerPort']}",
    )
    assert await driver.start() == "http://x:8888"
    body = cluster.all("pods")[NAME]
    assert told == [body["metadata"]["uid"]]
    assert body["spec"]["terminationGracePeriodSeconds"] == 7
    assert {"name": "HOOKED", "value": NAME} in body["spec"]["containers"][0]["env"]
    assert body["spec"]["containers"][0]["securityContext"]["runAsUser"] == 1000
    # What finds it again is there whatever a hook does.
    assert driver.marks().items() <= body["metadata"]["labels"].items()
    assert body["metadata"]["annotations"] == {"hub.jupyter.org/username": "alice"}


async def test_a_server_with_a_claim_of_its_name_keeps_it(make: Make) -> None:
    await make().rename("a", "b")
    with pytest.raises(ValueError, match="claim-alice"):
        await make(storage_pvc_ensure=True).rename("a", "b")
