"""What a hub is: one running process of several that may share a database; and whose turn it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
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


def owner_name(node: str, pid: int, mark: str) -> str:
    """Return the name of a hub process on `node`; `mark` tells it from earlier ones with its pid."""
    return f"{node}/{pid}-{mark}"


def node_of(owner: str) -> str:
    """Return the machine of a hub process, empty when its name tells none."""
    return owner.rpartition("/")[0]


def whose_turn(server_id: int, owners: Iterable[str]) -> str | None:
    """Return which hub process works on a server first; None when there is none.

    All that know the same hubs agree. When one comes or goes, only its share of the servers changes hands.
    """
    return max(owners, key=lambda owner: _weight(owner, server_id), default=None)


def _weight(owner: str, server_id: int) -> bytes:
    return hashlib.blake2b(f"{server_id} {owner}".encode(), digest_size=8).digest()
