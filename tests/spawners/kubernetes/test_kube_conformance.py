"""The conformance suite over an API server that stands in for Kubernetes; no cluster was to be had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from carrel.spawners.base import Spawner
from carrel.testing.conformance.spawner import Case, SpawnerConformance
from tests.rigs.kubernetes import Cluster
from tests.rigs.kubernetes_node import ABSENT, DYING
from tests.spawners.kubernetes.rig import Make

_IMAGES = {Case.HEALTHY: "plain:1", Case.BROKEN: ABSENT, Case.DYING: DYING}


@pytest.mark.real
class TestKubernetes(SpawnerConformance):
    @pytest.fixture(autouse=True)
    def _cluster(self, make: Make, cluster: Cluster) -> None:
        self.driver, self.cluster = make, cluster

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> Spawner:
        return self.driver(state, image=_IMAGES[case], services_enabled=True)

    def leftovers(self) -> list[str]:
        return [name for kind in ("pods", "secrets", "services") for name in self.cluster.all(kind)]
