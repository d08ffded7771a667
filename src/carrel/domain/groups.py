"""Groups of users, and what may name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.domain.errors import Invalid

_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Group:
    """Users who are treated alike. `id` never changes, and neither does `name`."""

    id: int
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Whatever the deployer keeps with a group; the hub does not look into it."""
    members: tuple[str, ...] = ()
    """The users' names, in order."""


def check_group_name(name: str) -> str:
    """Return `name` when it may name a group; raise Invalid otherwise.

    Identity providers name groups by paths, so slashes are fine; a control character could forge a log line.
    """
    if not name or len(name) > _LONGEST:
        raise Invalid(f"A group's name has 1 to {_LONGEST} characters.")
    if name != name.strip() or not name.isprintable():
        raise Invalid("A group's name has only printable characters and no space at its ends.")
    return name
