"""Drivers over the stand-in for a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from traitlets.config import Config

from carrel.spawners.kubernetes.spawner import KubeSpawner
from carrel.spawners.run import make_spawner
from carrel.spawners.shared import Shared
from tests.rigs.kubernetes import Cluster
from tests.spawners.rig import run_of

#: The pod of alice's server.
NAME = "jupyter-alice"
Make = Callable[..., KubeSpawner]


def spawner(
    shared: Shared,
    state: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    **settings: Any,
) -> KubeSpawner:
    """Return a driver for a run (of alice's server 7, generation 2, unless `run` says otherwise)."""
    config = Config()
    for name, value in {"image": "plain:1", **settings}.items():
        config.KubeSpawner[name] = value
    facts = {"state": state or {}, "shared": shared, **(run or {})}
    return make_spawner(KubeSpawner, replace(run_of(), **facts), config)


def uid(cluster: Cluster, name: str = NAME) -> str:
    """Return what tells a pod from a later one of its name."""
    return str(cluster.all("pods")[name]["metadata"]["uid"])
