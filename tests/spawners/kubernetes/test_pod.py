"""The pods that settings make, all of them valid by Kubernetes' own schemas."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from traitlets import TraitError

from carrel.spawners.kubernetes.manifest import to_json
from carrel.spawners.kubernetes.pod import Facts, Rights, build_pod
from carrel.spawners.kubernetes.settings import KubeSettings

NAMES = {"username": "ada", "pvc_name": "claim-ada"}


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "name": "jupyter-ada",
        "namespace": "hubs",
        "names": NAMES,
        "labels": {"component": "singleuser-server"},
        "annotations": {"hub.jupyter.org/username": "ada"},
        "environment": {"A": "b"},
        "secret": "jupyter-ada",
        "words": (),
        "port": 8888,
        "cpu": (None, None),
        "memory": (None, None),
        "rights": Rights(container={}, pod={}),
    }
    return Facts(**(given | changes))


def pod_of(given: Facts | None = None, **settings: Any) -> dict[str, Any]:
    """Return the pod, once it is valid."""
    body: dict[str, Any] = to_json(build_pod(KubeSettings(**settings), given or facts()))
    kubernetes_validate.validate(body, kubernetes_validate.latest_version(), strict=True)
    return body


def server(given: Facts | None = None, **settings: Any) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(given, **settings)["spec"]["containers"][0]
    return container


def test_by_default_a_pod_has_few_rights_and_its_token_in_a_secret() -> None:
    spec = pod_of()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert server()["securityContext"] == {"allowPrivilegeEscalation": False}
    assert server()["envFrom"] == [{"secretRef": {"name": "jupyter-ada"}}]
    assert "args" not in server()


def test_all_settings_together_make_a_valid_pod() -> None:
    term = {"topology_key": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}
    weighted = {"weight": 1, "podAffinityTerm": {"topologyKey": "zone"}}
    match = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
    body = pod_of(
        facts(
            words=("start", "--x"),
            cpu=(0.5, 2.0),
            memory=(2**29, 2**30),
            rights=Rights(
                uid=1, gid=2, fs_gid=3, groups=[4], container={"runAsNonRoot": True}, pod={"sysctls": []}
            ),
        ),
        image="registry.test:5000/lab/base@sha256:" + "0" * 64,
        image_pull_policy="Always",
        image_pull_secrets=["pull", {"name": "other"}],
        working_dir="/home/{username}",
        extra_resource_limits={"nvidia.com/gpu": 1},
        extra_resource_guarantees={"ephemeral-storage": "1Gi"},
        lifecycle_hooks={"post_start": {"exec": {"command": ["true"]}}},
        init_containers={"b": {"name": "second", "image": "i"}, "a": {"name": "first", "image": "i"}},
        extra_containers=[{"name": "side", "image": "i", "working_dir": "/{username}"}],
        service_account="sa-{username}",
        node_selector={"pool": "users"},
        tolerations={
            "x": {"key": "gpu", "operator": "Exists", "toleration_seconds": 5, "effect": "NoExecute"}
        },
        node_affinity_required=[match],
        node_affinity_preferred=[{"weight": 1, "preference": match}],
        pod_affinity_required=[term],
        pod_affinity_preferred=[weighted],
        pod_anti_affinity_required=[term],
        pod_anti_affinity_preferred=[weighted],
        priority_class_name="users",
        scheduler_name="packing",
        volumes=[{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}],
        volume_mounts={"home": {"name": "home", "mount_path": "/home", "subPath": "{username}"}},
        extra_container_config={"livenessProbe": {"exec": {"command": ["true"]}}},
        extra_pod_config="hostNetwork: true\nsubdomain: '{username}'\n",
    )
    spec = body["spec"]
    assert [each["name"] for each in spec["initContainers"]] == ["first", "second"]
    assert spec["containers"][1]["workingDir"] == "/ada"
    assert spec["subdomain"] == "ada"
    assert spec["serviceAccountName"] == "sa-ada"
    assert "automountServiceAccountToken" not in spec
    assert spec["volumes"][0]["persistentVolumeClaim"]["claimName"] == "claim-ada"
    container = spec["containers"][0]
    assert container["args"] == ["start", "--x"]
    assert container["resources"] == {
        "requests": {"cpu": "0.5", "memory": str(2**29), "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "2", "memory": str(2**30), "nvidia.com/gpu": "1"},
    }
    assert container["volumeMounts"] == [{"name": "home", "mountPath": "/home", "subPath": "ada"}]
    assert spec["securityContext"] == {"fsGroup": 3, "supplementalGroups": [4], "sysctls": []}


def test_variables_come_after_those_they_refer_to() -> None:
    environment: dict[str, Any] = {
        "A": "$(C)/x",
        "B": "plain",
        "C": "$(D)",
        "D": "d",
        "LOOP": "$(LOOP)",
        "SECRET": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        "key": {"name": "NAMED", "value": "v"},
    }
    names = [each["name"] for each in server(facts(environment=environment))["env"]]
    assert sorted(names) == ["A", "B", "C", "D", "LOOP", "NAMED", "SECRET"]
    assert names.index("D") < names.index("C") < names.index("A")
    assert len(server(facts(environment={"A": "$(B)", "B": "$(A)"}))["env"]) == 2


def test_a_privileged_server_may_gain_rights() -> None:
    assert server(privileged=True)["securityContext"] == {"privileged": True}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"extra_pod_config": {"hostNetwrk": True}}, "extra_pod_config.*did you mean hostNetwork"),
        ({"extra_container_config": {"stdin": "yes"}}, "extra_container_config: .*stdin"),
        ({"init_containers": [{"image": "i"}]}, "init_containers: .*name"),
        ({"volumes": [{"name": "{nobody}"}]}, "'{nobody}' cannot be expanded"),
        ({"extra_pod_config": "{"}, "extra_pod_config is no YAML"),
    ],
)
def test_settings_that_make_no_pod_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pod_of(**settings)


def test_security_contexts_have_the_spelling_of_kubernetes() -> None:
    with pytest.raises(ValueError, match=r"pod_security_context: .*'run_as_user'"):
        pod_of(facts(rights=Rights(container={}, pod={"run_as_user": 0})))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image", "lab:1; rm -rf /"),
        ("image", "-v"),
        ("image", "a" * 1_000_000),
        ("image", "lab\n:1"),
        ("image", ""),
        ("image", ["lab"]),
        ("image_pull_policy", "Sometimes"),
        ("delete_grace_period", -1),
        ("uid", "root"),
        ("node_selector", "pool=users"),
    ],
)
def test_hostile_values_are_refused_with_the_settings_name(setting: str, value: object) -> None:
    with pytest.raises(TraitError, match=setting):
        KubeSettings(**{setting: value})


def test_no_value_of_a_template_is_filled_in_twice() -> None:
    given = facts(names={**NAMES, "username": "{pvc_name}"})
    body = pod_of(given, extra_pod_config={"subdomain": "{username}"})
    assert body["spec"]["subdomain"] == "{pvc_name}"
    assert "claim-ada" not in json.dumps(body)
