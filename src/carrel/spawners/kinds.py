"""The names that `JupyterHub.spawner_class` may have."""

from __future__ import annotations

from carrel.lib.registry import Kind
from carrel.spawners.base import Spawner

_LOCAL = "carrel.spawners.local.LocalProcessSpawner"
_SIMPLE = "carrel.spawners.simple.SimpleLocalProcessSpawner"

SPAWNERS: Kind[Spawner] = Kind(
    setting="JupyterHub.spawner_class",
    base=Spawner,
    builtins={"default": _LOCAL, "localprocess": _LOCAL, "simple": _SIMPLE},
    groups=("carrel.spawners", "jupyterhub.spawners"),
)
