"""Groups and who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.errors import Conflict
from carrel.domain.groups import Group
from carrel.domain.paging import Page, PageRequest
from carrel.storage.sql.columns import from_json, to_json
from carrel.storage.sql.engine import Link, OneOf, Row, Value
from carrel.storage.sql.tables import group_members, groups, users

_SELECT = select(groups.c.id, groups.c.name, groups.c.properties)
_GET = _SELECT.where(groups.c.name == bindparam("name"))
_CREATE = (
    insert(groups)
    .values(name=bindparam("name"), properties=bindparam("properties"))
    .on_conflict_do_nothing()
    .returning(groups.c.id)
)
_SET_PROPERTIES = update(groups).values(properties=bindparam("value")).where(groups.c.id == bindparam("key"))
_DELETE = delete(groups).where(groups.c.id == bindparam("id"))
_ADD = (
    insert(group_members)
    .values(group_id=bindparam("group_id"), user_id=bindparam("user_id"))
    .on_conflict_do_nothing()
)
_REMOVE = delete(group_members).where(
    group_members.c.group_id == bindparam("group_id"), OneOf(group_members.c.user_id, "user_ids")
)
_MEMBERS = (
    select(group_members.c.group_id, users.c.name)
    .join(users, users.c.id == group_members.c.user_id)
    .where(OneOf(group_members.c.group_id, "ids"))
    .order_by(users.c.name)
)
_SIZES = (
    select(group_members.c.group_id, func.count())
    .where(OneOf(group_members.c.group_id, "ids"))
    .group_by(group_members.c.group_id)
)
_MEMBER_PAGE = (
    select(users.c.name)
    .join(group_members, users.c.id == group_members.c.user_id)
    .where(group_members.c.group_id == bindparam("id"))
    .order_by(users.c.name)
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_MEMBER_IDS = select(group_members.c.user_id).where(group_members.c.group_id == bindparam("id"))


def _of_users(condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    query = select(group_members.c.user_id, groups.c.name).where(condition).order_by(groups.c.name)
    return query.join(groups, groups.c.id == group_members.c.group_id)


_OF_USERS = _of_users(OneOf(group_members.c.user_id, "ids"))
_OF_USER = _of_users(group_members.c.user_id == bindparam("id"))
_OF_NAMES = (
    select(users.c.name, groups.c.name)
    .join(group_members, group_members.c.user_id == users.c.id)
    .join(groups, groups.c.id == group_members.c.group_id)
    .where(OneOf(users.c.name, "names"))
    .order_by(groups.c.name)
)


class SqlGroups:
    """See `carrel.storage.groups`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, name: str) -> Group | None:
        found = await self._groups(await self._link.rows(_GET, {"name": name}))
        return found[0] if found else None

    async def create(self, name: str, properties: Mapping[str, Any] | None = None) -> Group:
        stored = dict(properties or {})
        rows = await self._link.rows(_CREATE, {"name": name, "properties": to_json(stored)})
        if not rows:
            raise Conflict(f"Group {name} already exists")
        return Group(rows[0][0], name, stored)

    async def set_properties(self, group_id: int, properties: Mapping[str, Any]) -> None:
        await self._link.change(_SET_PROPERTIES, {"key": group_id, "value": to_json(properties)})

    async def delete(self, group_id: int) -> None:
        await self._link.change(_DELETE, {"id": group_id})

    async def add(self, group_id: int, user_ids: Iterable[int]) -> None:
        await self._link.change_many(
            _ADD, [{"group_id": group_id, "user_id": each} for each in sorted(user_ids)]
        )

    async def remove(self, group_id: int, user_ids: Iterable[int]) -> None:
        await self._link.change(_REMOVE, {"group_id": group_id, "user_ids": to_json(sorted(user_ids))})

    async def member_ids(self, group_id: int) -> frozenset[int]:
        return frozenset(row[0] for row in await self._link.rows(_MEMBER_IDS, {"id": group_id}))

    async def page(self, names: Sequence[str] | None, page: PageRequest) -> Page[Group]:
        rows, total = await self._rows(names, page)
        return Page(tuple(await self._groups(rows)), page.offset, page.limit, total)

    async def outlines(self, names: Sequence[str] | None, page: PageRequest) -> Page[tuple[Group, int]]:
        rows, total = await self._rows(names, page)
        sizes = await self._sizes([row[0] for row in rows])
        items = ((Group(row[0], row[1], from_json(row[2])), sizes.get(row[0], 0)) for row in rows)
        return Page(tuple(items), page.offset, page.limit, total)

    async def outline(self, name: str, members: PageRequest) -> tuple[Group, int] | None:
        rows = await self._link.rows(_GET, {"name": name})
        if not rows:
            return None
        [(group_id, _, properties)] = rows
        sizes = await self._sizes([group_id])
        values: dict[str, Value] = {"id": group_id, "limit": members.limit, "offset": members.offset}
        shown = tuple(row[0] for row in await self._link.rows(_MEMBER_PAGE, values))
        return Group(group_id, name, from_json(properties), shown), sizes.get(group_id, 0)

    async def _sizes(self, group_ids: Sequence[int]) -> dict[int, int]:
        if not group_ids:
            return {}
        return {row[0]: row[1] for row in await self._link.rows(_SIZES, {"ids": to_json(group_ids)})}

    async def _rows(self, names: Sequence[str] | None, page: PageRequest) -> tuple[Sequence[Row], int]:
        """Return a page of groups' rows and how long the whole list is."""
        values: dict[str, Value] = {} if names is None else {"names": to_json(names)}
        count = self._link.built((_filtered, "count", names is None), lambda: _count(names))
        listing = self._link.built((_filtered, "rows", names is None), lambda: _listing(names))
        rows = await self._link.rows(listing, {**values, "limit": page.limit, "offset": page.offset})
        total = page.known_total(len(rows))
        if total is None:
            [(total,)] = await self._link.rows(count, values)
        return rows, total

    async def of_user(self, user_id: int) -> tuple[str, ...]:
        return tuple(row[1] for row in await self._link.rows(_OF_USER, {"id": user_id}))

    async def of_users(self, user_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
        return gather(await self._link.rows(_OF_USERS, {"ids": to_json(sorted(user_ids))}))

    async def of_names(self, user_names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        return gather(await self._link.rows(_OF_NAMES, {"names": to_json(sorted(user_names))}))

    async def _groups(self, rows: Sequence[Row]) -> list[Group]:
        if not rows:
            return []
        found = gather(await self._link.rows(_MEMBERS, {"ids": to_json([row[0] for row in rows])}))
        return [Group(row[0], row[1], from_json(row[2]), found.get(row[0], ())) for row in rows]


def gather(pairs: Iterable[Row]) -> dict[Any, tuple[str, ...]]:
    """Return for each first value the second ones that came with it, in their order."""
    found: dict[Any, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}


def _filtered(query: Select[*tuple[Any, ...]], names: Sequence[str] | None) -> Select[*tuple[Any, ...]]:
    return query if names is None else query.where(OneOf(groups.c.name, "names"))


def _count(names: Sequence[str] | None) -> Select[*tuple[Any, ...]]:
    return _filtered(select(func.count()).select_from(groups), names)


def _listing(names: Sequence[str] | None) -> Select[*tuple[Any, ...]]:
    query = _filtered(_SELECT, names).order_by(groups.c.id)
    return query.limit(bindparam("limit")).offset(bindparam("offset"))
