"""What the hub asks of its database about groups; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from carrel.domain.groups import Group
from carrel.domain.paging import Page, PageRequest


class Groups(Protocol):
    """Groups and who is in them."""

    async def get(self, name: str) -> Group | None: ...
    async def create(self, name: str, properties: Mapping[str, Any] | None = None) -> Group:
        """Return the new, empty group; raise Conflict when the name is taken."""

    async def set_properties(self, group_id: int, properties: Mapping[str, Any]) -> None: ...
    async def delete(self, group_id: int) -> None:
        """Remove a group and its memberships; roles stay with its name."""

    async def add(self, group_id: int, user_ids: Iterable[int]) -> None:
        """Add users, who may be members already."""

    async def remove(self, group_id: int, user_ids: Iterable[int]) -> None: ...
    async def member_ids(self, group_id: int) -> frozenset[int]: ...
    async def page(self, names: Sequence[str] | None, page: PageRequest) -> Page[Group]:
        """Return groups in the order of their ids, only those of `names` when it is given."""

    async def outlines(self, names: Sequence[str] | None, page: PageRequest) -> Page[tuple[Group, int]]:
        """Return what `page` does, each with how many members it has in the place of their names."""

    async def outline(self, name: str, members: PageRequest) -> tuple[Group, int] | None:
        """Return a group with a page of its members, in order, and how many there are in all."""

    async def of_user(self, user_id: int) -> tuple[str, ...]: ...
    async def of_users(self, user_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the names of the groups of each user who is in any."""

    async def of_names(self, user_names: Iterable[str]) -> Mapping[str, tuple[str, ...]]: ...
