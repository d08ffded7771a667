"""Where a server is in the cluster, and by which names and marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Unicode, default

from carrel.spawners.kubernetes.api import Api, Json, Patience
from carrel.spawners.kubernetes.belongings import USER
from carrel.spawners.kubernetes.cluster import GENERATION, HUB, SERVER, Cluster, hub_mark, open_cluster
from carrel.spawners.kubernetes.credentials import Overrides
from carrel.spawners.kubernetes.names import LateNames, fill, fill_all, label_slug, namespace_of
from carrel.spawners.kubernetes.pods import PodAt
from carrel.spawners.kubernetes.settings import KubeSettings


class KubeIdentity(KubeSettings):
    """The part of the driver that every other part asks."""

    # What every spawner has
    user: Any
    hub: Any
    name: Any
    shared: Any
    server_id: Any
    generation: Any

    pod_name = Unicode()
    pvc_name = Unicode()
    dns_name = Unicode()
    secret_name = Unicode()
    pod_uid = Unicode(help="What tells the pod from a later one with the same name.")
    _placed: str | None = None

    @default("pod_name")
    def _default_pod_name(self) -> str:
        return str(self.filled(self.pod_name_template))

    @default("pvc_name")
    def _default_pvc_name(self) -> str:
        return str(self.filled(self.pvc_name_template))

    @default("secret_name")
    def _default_secret_name(self) -> str:
        return str(self.filled(self.secret_name_template))

    @default("dns_name")
    def _default_dns_name(self) -> str:
        return str(self.filled(self.dns_name_template))

    # The cluster

    @property
    def cluster(self) -> Cluster:
        """Return the cluster, one for all servers of this hub; raises NoAccess."""
        overrides = Overrides(
            host=self.k8s_api_host, ca_file=self.k8s_api_ssl_ca_cert, verify=self.k8s_api_verify_ssl
        )
        patience = Patience(float(self.k8s_api_request_timeout), float(self.k8s_api_request_retry_timeout))
        key = (Cluster, overrides, patience)
        found: Cluster = self.shared.get(key, lambda: open_cluster(overrides, patience, self.hub.hub_id))
        return found

    @property
    def api(self) -> Api:
        """Return the API server."""
        return self.cluster.api

    @property
    def used_namespace(self) -> str:
        """Return the namespace of this server."""
        if self._placed is not None:
            return self._placed
        if self.enable_user_namespaces:
            return fill(self.user_namespace_template, self._names())
        return self.namespace or self.cluster.namespace

    def _pod(self) -> PodAt:
        watched = "" if self.enable_user_namespaces else self.used_namespace
        return PodAt(self.cluster, self.used_namespace, self.pod_name, self.pod_uid, watched)

    # Names and marks

    def _names(self, *, scheme: str = "", server: str | None = None) -> Mapping[str, Any]:
        home = self.namespace or self.cluster.namespace
        name = self.name if server is None else server
        names = namespace_of(self.user.name, name, self.user.id, home, scheme or self.slug_scheme)
        late = {
            "namespace": lambda: self.used_namespace,
            "pod_name": lambda: self.pod_name,
            "name": lambda: self.pod_name,
            "pvc_name": lambda: self.pvc_name,
        }
        return LateNames(names, late)

    def filled(self, value: Any) -> Any:
        """Return a setting's value with the names in braces filled in, wherever in it they are."""
        return fill_all(value, self._names())

    def marks(self) -> dict[str, str]:
        """Return the labels by which this run is found again."""
        hub, generation = hub_mark(self.hub.hub_id), str(self.generation)
        return {HUB: hub, SERVER: str(self.server_id), GENERATION: generation}

    def _server_marks(self) -> dict[str, str]:
        return {name: value for name, value in self.marks().items() if name != GENERATION}

    def _labels(self, extra: Mapping[str, Any]) -> dict[str, str]:
        return {USER: label_slug(self.user.name), **self.filled(extra), **self.common_labels}

    def _pod_labels(self) -> dict[str, str]:
        component = {"app.kubernetes.io/component": self.component_label, "component": self.component_label}
        own = {"hub.jupyter.org/servername": label_slug(self.name), **component}
        return {**self._labels(self.extra_labels), **own, **self.marks()}

    def _annotations(self, extra: Mapping[str, Any]) -> dict[str, str]:
        own = {USER: self.user.name}
        if self.name:
            own["hub.jupyter.org/servername"] = self.name
        return {**self.filled(extra), **own}

    def _metadata(self, name: str) -> Json:
        return {
            "name": name,
            "namespace": self.used_namespace,
            "labels": {**self._labels(self.extra_labels), **self.marks()},
            "annotations": self._annotations(self.extra_annotations),
        }
