"""What an authenticator hands back about somebody who has proved who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """A checked name. `admin` None means that the authenticator has no opinion."""

    name: str
    admin: bool | None = None
    groups: tuple[str, ...] | None = None
    """The groups that they are in now, where the authenticator manages groups."""
    roles: tuple[Mapping[str, Any], ...] | None = None
    """Their roles as JupyterHub's plug-ins describe them, where the authenticator manages roles."""
    user_info: Mapping[str, Any] | None = None
    auth_state: Mapping[str, Any] | None = field(default=None, repr=False)
