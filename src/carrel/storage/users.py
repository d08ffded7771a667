"""What the hub asks of its database about people; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from carrel.domain.paging import Page, PageRequest
from carrel.domain.users import User
from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users a listing shows."""

    name_contains: str = ""
    """Case-insensitive part of the name."""
    state: Literal["active", "ready", "inactive"] | None = None
    names: tuple[str, ...] | None = None
    """Only these; None means all."""
    sort: Literal["id", "name", "last_activity"] = "id"
    descending: bool = False
    groups: tuple[str, ...] = ()
    """Beside `names`, the members of these groups."""


class Users(Protocol):
    """People."""

    async def get(self, name: str) -> User | None: ...
    async def get_by_id(self, user_id: int) -> User | None: ...
    async def create(self, name: str, *, admin: bool, now: Timestamp) -> User:
        """Return the new user; raise Conflict when the name is taken."""

    async def set_admin(self, user_id: int, admin: bool) -> None:
        """Raise NotFound when the user is gone."""

    async def set_only_admins(self, user_ids: Iterable[int]) -> int:
        """Make these the admins and nobody else; return how many users that changed."""

    async def set_info(self, user_id: int, info: Mapping[str, Any]) -> None: ...
    async def get_auth_state(self, user_id: int) -> str | None: ...
    async def set_auth_state(self, user_id: int, sealed: str | None) -> None: ...
    async def named(self, names: Iterable[str]) -> Sequence[User]:
        """Return those of the names that exist, in the order of their ids."""

    async def rename(self, user_id: int, name: str) -> None:
        """Raise Conflict when the name is taken, NotFound when the user is gone."""

    async def delete(self, user_id: int) -> None:
        """Remove a user with their tokens, sessions, codes and servers' rows."""

    async def page(self, which: UserFilter, page: PageRequest) -> Page[User]: ...
    async def count(self, active_since: Timestamp = 0.0) -> int:
        """Return how many there are, or only those who were active since a moment."""

    async def touch(self, moments: Mapping[int, Timestamp]) -> None:
        """Move `last_activity` of users (by id) forward, never back."""
