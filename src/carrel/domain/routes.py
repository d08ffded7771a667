"""The proxy's route table and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """`spec` is a path prefix with slashes at both ends; `data` says whose it is."""

    spec: str
    target: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouteChanges:
    """What makes one table equal to another."""

    add: tuple[Route, ...]
    remove: tuple[str, ...]


def diff(wanted: Mapping[str, Route], actual: Mapping[str, Route]) -> RouteChanges:
    """Return the changes that turn `actual` into `wanted`."""
    add = tuple(route for spec, route in wanted.items() if actual.get(spec) != route)
    remove = tuple(spec for spec in actual if spec not in wanted)
    return RouteChanges(add=add, remove=remove)
