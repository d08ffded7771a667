"""What a driver tells the hub beyond alive or dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server uses now; None is unknown."""

    memory: int | None = None
    """Bytes."""
    cpu: float | None = None
    """Seconds of CPU since its start."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of this hub's that runs in the world and that no row is known for."""

    server_id: int
    generation: int
    state: Mapping[str, Any]
    """What `load_state` takes, to poll it or to stop it."""
    user_name: str = ""
    """Whose it says that it is, when it says so; for runs whose row is gone."""
