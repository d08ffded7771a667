"""Volume claims: made for a server that has none, kept over its runs, and deleted with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.spawners.kubernetes.api import Api, Json, Refused, place_of
from carrel.spawners.kubernetes.belongings import USER, Foreign

_KIND = "persistentvolumeclaims"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim as it should be."""

    name: str
    namespace: str
    user: str
    """Whose files are in it."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    capacity: str | None
    storage_class: str | None
    access_modes: Sequence[str]
    selector: Mapping[str, Any]

    def body(self) -> Json:
        """Return it for the API; raises ValueError without a capacity."""
        if not self.capacity:
            raise ValueError(
                "storage_capacity: a claim asks for a size: c.KubeSpawner.storage_capacity = '10Gi'"
            )
        spec: Json = {
            "accessModes": list(self.access_modes),
            "resources": {"requests": {"storage": self.capacity}},
        }
        if self.selector:
            spec["selector"] = dict(self.selector)
        if self.storage_class is not None:
            spec["storageClassName"] = self.storage_class
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


async def find_claim(api: Api, namespace: str, name: str, user: str) -> bool:
    """Tell whether there is a claim of this name.

    Raises Foreign when it says that it is somebody else's: a template may make two names one, and nobody
    shall be shown another's files. Raises Refused and Unreachable.
    """
    there = await api.find(place_of(_KIND, namespace, name))
    if there is None:
        return False
    whose = (there["metadata"].get("annotations") or {}).get(USER, user)
    if whose != user:
        raise Foreign(f"The volume claim {name} belongs to another user.")
    return True


async def ensure_claim(api: Api, claim: Claim) -> None:
    """Make a claim that is not there; may be repeated. Raises as `find_claim` and `Claim.body` do."""
    if await find_claim(api, claim.namespace, claim.name, claim.user):
        return
    try:
        await api.create(place_of(_KIND, claim.namespace), claim.body())
    except Refused as refusal:
        # Another server of the user's may share it, and start at the same time.
        if refusal.status != 409 or not await find_claim(api, claim.namespace, claim.name, claim.user):
            raise


async def delete_claim(api: Api, namespace: str, name: str, user: str) -> None:
    """Delete the user's claim, if there is one; may be repeated. Raises as `find_claim` does."""
    if await find_claim(api, namespace, name, user):
        await api.delete(place_of(_KIND, namespace, name))
