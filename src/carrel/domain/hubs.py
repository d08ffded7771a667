"""What a hub is: one running process of several that may share a database."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub process, as it last said of itself."""

    owner: str
    """Names this process and no other one, ever: what leases are held by."""
    node: str
    """The machine it is on: local processes are only ever driven from there."""
    url: str
    """Where the others and the data plane reach it, scheme to port."""
    version: str
    started: Timestamp
    expires: Timestamp
    """Until when it counts as alive without saying so again."""
