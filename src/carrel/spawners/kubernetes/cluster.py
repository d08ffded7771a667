"""One cluster, for all servers of a hub: its API server, and what is watched there."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from carrel.spawners.kubernetes.api import Api, Json, Patience, place_of
from carrel.spawners.kubernetes.credentials import Overrides, find_access
from carrel.spawners.kubernetes.watch import Watch, by_subject, of_pod
from carrel.spawners.shared import Measure

HUB, SERVER, GENERATION = "carrel/hub", "carrel/server", "carrel/generation"
"""The labels by which the hub finds again what it has made."""
_STALENESS = "kubernetes_watch_staleness_seconds"
_log = logging.getLogger("carrel.spawners")


def hub_mark(hub_id: str) -> str:
    """Return a hub's id as a label can have it."""
    return hashlib.sha256(hub_id.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Cluster:
    """The way to the cluster. Watches are one for each namespace and kind, however many servers there are."""

    api: Api
    selector: str
    """The labels of this hub's pods."""
    chance: Callable[[], float]
    watches: dict[tuple[str, str], Watch] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Return the namespace that the hub is in, or that its kubeconfig names."""
        return self.api.access.namespace

    def pods(self, namespace: str) -> Watch:
        """Return the watch of this hub's pods in a namespace, in all for an empty name."""
        selection = {"labelSelector": self.selector}
        return self._watch(
            "pods", namespace, lambda path: Watch(self.api, path, selection, self.chance, keep=of_pod)
        )

    def events(self, namespace: str) -> Watch:
        """Return the watch of what is told of pods in a namespace, in all for an empty name."""
        selection = {"fieldSelector": "involvedObject.kind=Pod"}
        return self._watch(
            "events", namespace, lambda path: Watch(self.api, path, selection, self.chance, by_subject)
        )

    async def list_pods(self, namespace: str) -> list[Json]:
        """Return this hub's pods as the API server has them; raises Refused and Unreachable."""
        found = await self.api.get(place_of("pods", namespace), {"labelSelector": self.selector})
        return list(found.get("items") or ())

    def measures(self) -> Iterator[Measure]:
        """Return how long ago each watch was known to be true."""
        for (kind, namespace), watch in self.watches.items():
            labels = (("kind", kind), ("namespace", namespace))
            yield Measure(_STALENESS, "How old what is known of a cluster is", labels, watch.staleness)

    async def close(self) -> None:
        """End the watches and the connections; may be repeated."""
        for watch in self.watches.values():
            await watch.close()
        await self.api.close()

    def _watch(self, kind: str, namespace: str, make: Callable[[str], Watch]) -> Watch:
        key = (kind, namespace)
        if key not in self.watches:
            self.watches[key] = make(place_of(kind, namespace))
        return self.watches[key]


def open_cluster(
    overrides: Overrides, patience: Patience, hub_id: str, chance: Callable[[], float] = random.random
) -> Cluster:
    """Return the cluster that files, environment and settings name; raises NoAccess."""
    access = find_access(overrides)
    if overrides.verify is False:
        _log.warning("KubeSpawner.k8s_api_verify_ssl is False: whoever is in between may pose as the cluster")
    return Cluster(Api(access, patience, chance), f"{HUB}={hub_mark(hub_id)}", chance)
