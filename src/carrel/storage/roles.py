"""What the hub asks of its database about roles; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from carrel.domain.roles import Role

#: Whom roles are given to by name.
BearerKind = Literal["groups", "services"]


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a user has: by themselves, or only through a group or as everybody does."""

    role: Role
    direct: bool


class Roles(Protocol):
    """Roles, and the users, groups and services that have them."""

    async def all(self) -> Sequence[Role]: ...
    async def named(self, names: Iterable[str]) -> Sequence[Role]: ...
    async def put(self, role: Role) -> int:
        """Add a role, or replace the one with its name; return its row's id."""

    async def delete(self, role_id: int) -> None:
        """Remove a role; nobody has it any more."""

    async def of_user(self, user_id: int) -> Sequence[HeldRole]:
        """Return a user's roles, those of their groups, and `user`, which everybody has."""

    async def of_users(self, user_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the names of the roles that each user has directly."""

    async def of_bearers(self, kind: BearerKind, names: Iterable[str]) -> Mapping[str, tuple[Role, ...]]: ...
    async def users(self, role_id: int) -> Mapping[int, bool]:
        """Return the ids of the users who have a role directly, and whether the authenticator said so."""

    async def bearers(self, role_id: int, kind: BearerKind) -> Mapping[str, bool]:
        """Return the groups or services that have a role, and whether the authenticator said so."""

    async def grant(self, role_id: int, user_ids: Iterable[int], *, managed: bool = False) -> None: ...
    async def revoke(self, role_id: int, user_ids: Iterable[int]) -> None: ...
    async def give(
        self, role_id: int, kind: BearerKind, names: Iterable[str], *, managed: bool = False
    ) -> None: ...
    async def take(self, role_id: int, kind: BearerKind, names: Iterable[str]) -> None: ...
