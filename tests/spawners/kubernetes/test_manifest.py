from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from carrel.spawners.kubernetes.manifest import (
    Container,
    EnvVar,
    ObjectMeta,
    Pod,
    PodSpec,
    made,
    merged,
    parsed,
    to_json,
)


def _schema(kind: str) -> set[str]:
    """Return the fields that the newest Kubernetes has."""
    folder = files("kubernetes_validate").joinpath("kubernetes-json-schema")
    newest = max((each for each in folder.iterdir() if each.name.endswith("-local-strict")), key=_version)
    definitions = json.loads(newest.joinpath("_definitions.json").read_text())["$defs"]
    return set(definitions[f"io.k8s.api.core.v1.{kind}"]["properties"])


def _version(folder: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name[1:].split("-")[0].split("."))


@pytest.mark.parametrize("kind", [PodSpec, Container, EnvVar])
def test_the_fields_are_those_of_kubernetes(kind: type[msgspec.Struct]) -> None:
    assert {each.encode_name for each in msgspec.structs.fields(kind)} == _schema(kind.__name__)


def test_what_is_not_said_is_left_out() -> None:
    pod = Pod(metadata=ObjectMeta(name="x"), spec=PodSpec(containers=[Container(name="notebook", image="i")]))
    assert to_json(pod) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "notebook", "image": "i"}]},
    }


def test_overrides_join_objects_and_replace_the_rest() -> None:
    container = Container(
        name="notebook",
        image="i",
        args=["a"],
        resources={"limits": {"memory": "1"}, "requests": {"cpu": "1"}},
        security_context={"allowPrivilegeEscalation": False},
    )
    overrides = {
        "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": None},
        "args": ["b"],
        "security_context": {"readOnlyRootFilesystem": True},
        "image": None,
        "setHostname": "x",
    }
    with pytest.raises(ValueError, match="extra_container_config: a Container has no field 'setHostname'"):
        merged(container, overrides, "extra_container_config")
    del overrides["setHostname"]
    after = merged(container, overrides, "extra_container_config")
    assert to_json(after) == {
        "name": "notebook",
        "args": ["b"],
        "resources": {"limits": {"memory": "1", "nvidia.com/gpu": "1"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
    }


def test_a_misspelt_field_and_a_wrong_type_are_named() -> None:
    with pytest.raises(ValueError, match=r"extra_pod_config.*'tolerashuns'; did you mean tolerations\?"):
        merged(PodSpec(), {"tolerashuns": []}, "extra_pod_config")
    with pytest.raises(ValueError, match=r"extra_pod_config: Expected int \| null, got str - at priority"):
        merged(PodSpec(), {"priority": "high"}, "extra_pod_config")
    with pytest.raises(ValueError, match=r"init_containers: .*missing required field name"):
        made(Container, {"image": "x"}, "init_containers")


def test_yaml_and_json_say_the_same() -> None:
    assert parsed("tolerations:\n- key: gpu\n", "x") == parsed('{"tolerations": [{"key": "gpu"}]}', "x")
    with pytest.raises(ValueError, match="x is no YAML"):
        parsed("{", "x")
    with pytest.raises(ValueError, match="x has to be an object, not list"):
        parsed("[1]", "x")


class V1Toleration:
    """As the packages kubernetes and kubernetes_asyncio have their models."""

    def __init__(self, key: str) -> None:
        self.key, self.toleration_seconds, self.effect = key, 5, None

    attribute_map = {"key": "key", "toleration_seconds": "tolerationSeconds", "effect": "effect"}  # noqa: RUF012


def test_models_of_other_packages_become_part_of_a_manifest() -> None:
    spec = PodSpec(tolerations=[V1Toleration("gpu")])  # type: ignore[list-item]
    assert to_json(spec) == {"tolerations": [{"key": "gpu", "tolerationSeconds": 5}]}
    with pytest.raises(TypeError, match="object cannot be part of a manifest"):
        to_json(PodSpec(tolerations=[object()]))  # type: ignore[list-item]
