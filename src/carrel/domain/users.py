"""What a user is."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class User:
    """A person who may have servers. `id` never changes; `name` may."""

    id: int
    name: str
    admin: bool
    created: Timestamp
    last_activity: Timestamp | None = None
