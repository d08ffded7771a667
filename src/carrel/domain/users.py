"""What a user is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class User:
    """A person who may have servers. `id` never changes; `name` may."""

    id: int
    name: str
    admin: bool
    created: Timestamp
    last_activity: Timestamp | None = None
    user_info: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the authenticator tells of the person for others to see: display_name, initials, color…"""
