"""How much is open at the moment."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Load(msgspec.Struct, frozen=True):
    """Counts of one process, or of several together."""

    connections: int = 0
    tunnels: int = 0
    upgrades: int = 0
    idle_upstreams: int = 0
    tasks: int = 0


def total(loads: Iterable[Load]) -> Load:
    """Return the sum of each count."""
    rows = [msgspec.structs.astuple(load) for load in loads]
    return Load(*map(sum, zip(*rows, strict=True)))
