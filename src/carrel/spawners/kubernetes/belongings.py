"""What belongs to a server beside its pod: the Secret with its token, a service, a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from carrel.spawners.kubernetes.api import Api, Json, Refused, place_of

USER = "hub.jupyter.org/username"
"""The annotation, and made a slug the label, that says whose something is; KubeSpawner's."""


class Foreign(Exception):
    """An object of the name that is needed belongs to somebody else; the message names it."""


def owner_of(pod: Json) -> Json:
    """Return the reference by which something goes when the pod does."""
    metadata = pod["metadata"]
    return {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}


def secret_of(metadata: Json, values: Mapping[str, str]) -> Json:
    """Return a Secret."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    return {**body, "stringData": dict(values)}


def service_of(metadata: Json, selector: Mapping[str, str], port: int) -> Json:
    """Return the service before a pod that has the labels of `selector`."""
    spec: Json = {
        "type": "ClusterIP",
        "selector": dict(selector),
        "ports": [{"name": "http", "port": port, "targetPort": port}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


async def put(api: Api, kind: str, body: Json) -> None:
    """Make an object, in the place of an earlier one that has the same marks.

    May be repeated. Raises Foreign when there is one with others, Refused and Unreachable.
    """
    metadata = body["metadata"]
    collection = place_of(kind, metadata["namespace"])
    path = place_of(kind, metadata["namespace"], metadata["name"])
    try:
        await api.create(collection, body)
        return
    except Refused as refusal:
        if refusal.status != 409:
            raise
    there = await api.find(path)
    if there is not None:
        if not _has_marks(there, metadata["labels"]):
            raise Foreign(f"The {kind[:-1]} {metadata['name']} is there and is not of this server.")
        await api.delete(path, uid=str(there["metadata"]["uid"]))
    await api.create(collection, body)


async def own(api: Api, kind: str, namespace: str, name: str, pod: Json) -> bool:
    """Let an object go with the pod; tell whether it is there. May be repeated."""
    try:
        owners = {"metadata": {"ownerReferences": [owner_of(pod)]}}
        await api.patch(place_of(kind, namespace, name), owners)
    except Refused as refusal:
        if refusal.status == 404:
            return False
        raise
    return True


async def remove(
    api: Api, kind: str, namespace: str, name: str, is_ours: Callable[[Mapping[str, str]], bool]
) -> None:
    """Delete an object whose labels are ours, if there is one; may be repeated."""
    path = place_of(kind, namespace, name)
    there = await api.find(path)
    if there is not None and is_ours(there["metadata"].get("labels") or {}):
        await api.delete(path, uid=str(there["metadata"]["uid"]))


async def ensure_namespace(
    api: Api, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> None:
    """Make a namespace that is not there; may be repeated. Raises Refused and Unreachable."""
    if await api.find(place_of("namespaces", name=name)) is not None:
        return
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels), "annotations": dict(annotations)}
    try:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        await api.create(place_of("namespaces"), body)
    except Refused as refusal:
        if refusal.status != 409:
            raise


def _has_marks(body: Json, marks: Mapping[str, str]) -> bool:
    return marks.items() <= (body["metadata"].get("labels") or {}).items()
