"""What an entry of the proxy's route table is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """`spec` is a path prefix with slashes at both ends, and `data` says whose it is.

    Where hosts are routed, `spec` begins with one: `ada.hub.example.org/user/ada/`.
    """

    spec: str
    target: str
    data: Mapping[str, object] = field(default_factory=dict)
