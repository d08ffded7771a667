"""People."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.errors import Conflict, NotFound
from carrel.domain.paging import Page, PageRequest
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.records import maker
from carrel.storage.sql import user_blocks
from carrel.storage.sql.columns import from_json, to_json
from carrel.storage.sql.engine import Contains, Link, OneOf, Row, Value
from carrel.storage.sql.tables import ACTIVE, READY, group_members, groups, servers, users
from carrel.storage.users import UserFilter

_SELECT = select(
    users.c.id, users.c.name, users.c.admin, users.c.created, users.c.last_activity, users.c.user_info
)
_GET = _SELECT.where(users.c.name == bindparam("name"))
_GET_BY_ID = _SELECT.where(users.c.id == bindparam("id"))
_CREATE = (
    insert(users)
    .values({name: bindparam(name) for name in ("name", "folded", "admin", "created", "last_activity")})
    .on_conflict_do_nothing()
    .returning(users.c.id)
)
_SET_ADMIN = update(users).values(admin=bindparam("value")).where(users.c.id == bindparam("key"))
_DEMOTE = update(users).values(admin=false()).where(users.c.admin, ~OneOf(users.c.id, "ids"))
_PROMOTE = update(users).values(admin=true()).where(~users.c.admin, OneOf(users.c.id, "ids"))
_SET_INFO = update(users).values(user_info=bindparam("value")).where(users.c.id == bindparam("key"))
_GET_STATE = select(users.c.auth_state).where(users.c.id == bindparam("id"))
_STATE: BindParameter[str] = bindparam("value", type_=users.c.auth_state.type)
_SET_STATE = (
    update(users)
    .values(auth_state=_STATE)
    # Most log-ins keep nothing, and nothing is there: that needs no write.
    .where(users.c.id == bindparam("key"), users.c.auth_state.is_distinct_from(_STATE))
)
_NAMED = _SELECT.where(OneOf(users.c.name, "names")).order_by(users.c.id)
_OTHERS = users.alias("others")
_RENAME = (
    update(users)
    .values(name=bindparam("new"), folded=bindparam("new_folded"))
    .where(
        users.c.id == bindparam("key"),
        # A violated constraint would end the whole transaction on PostgreSQL.
        ~exists().where(_OTHERS.c.name == bindparam("new"), _OTHERS.c.id != bindparam("key")),
    )
)
_DELETE = delete(users).where(users.c.id == bindparam("id"))
_AT: BindParameter[float] = bindparam("at")
_TOUCH = (
    update(users).values(last_activity=_AT).where(users.c.id == bindparam("key"), users.c.last_activity < _AT)
)
_COUNT = select(func.count()).select_from(users).where(users.c.last_activity >= bindparam("since"))
_new_user = maker(User)
#: To pass over fewer users than that takes no longer than to add up the blocks that hold them.
_FAR = 20_000
_SORTS: Mapping[str, ColumnElement[Any]] = {
    "id": users.c.id,
    "name": users.c.name,
    "last_activity": users.c.last_activity,
}


class SqlUsers:
    """See `carrel.storage.users`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, name: str) -> User | None:
        rows = await self._link.rows(_GET, {"name": name})
        return _user(rows[0]) if rows else None

    async def get_by_id(self, user_id: int) -> User | None:
        rows = await self._link.rows(_GET_BY_ID, {"id": user_id})
        return _user(rows[0]) if rows else None

    async def create(self, name: str, *, admin: bool, now: Timestamp) -> User:
        values: dict[str, Value] = {"name": name, "folded": name.casefold(), "admin": admin}
        rows = await self._link.rows(_CREATE, {**values, "created": now, "last_activity": 0.0})
        if not rows:
            raise Conflict(f"User {name} already exists.")
        return User(id=rows[0][0], name=name, admin=admin, created=now)

    async def set_admin(self, user_id: int, admin: bool) -> None:
        if not await self._link.change(_SET_ADMIN, {"key": user_id, "value": admin}):
            raise _gone()

    async def set_only_admins(self, user_ids: Iterable[int]) -> int:
        values = {"ids": to_json(sorted(user_ids))}
        return await self._link.change(_DEMOTE, values) + await self._link.change(_PROMOTE, values)

    async def set_info(self, user_id: int, info: Mapping[str, Any]) -> None:
        await self._link.change(_SET_INFO, {"key": user_id, "value": to_json(info)})

    async def get_auth_state(self, user_id: int) -> str | None:
        rows = await self._link.rows(_GET_STATE, {"id": user_id})
        return rows[0][0] if rows else None

    async def set_auth_state(self, user_id: int, sealed: str | None) -> None:
        await self._link.change(_SET_STATE, {"key": user_id, "value": sealed})

    async def named(self, names: Iterable[str]) -> list[User]:
        return [_user(row) for row in await self._link.rows(_NAMED, {"names": to_json(sorted(names))})]

    async def rename(self, user_id: int, name: str) -> None:
        if await self._link.change(_RENAME, {"key": user_id, "new": name, "new_folded": name.casefold()}):
            return
        if await self.get_by_id(user_id) is None:
            raise _gone()
        raise Conflict(f"User {name} already exists.")

    async def delete(self, user_id: int) -> None:
        await self._link.change(_DELETE, {"id": user_id})

    async def page(self, which: UserFilter, page: PageRequest) -> Page[User]:
        values: dict[str, Value] = {}
        if which.name_contains:
            values["part"] = which.name_contains.casefold()
        if which.names is not None:
            values |= {"names": to_json(which.names), "groups": to_json(which.groups)}
        shape = (bool(which.name_contains), which.names is not None, bool(which.groups), which.state)
        count = self._link.built((_filtered, "count", *shape), lambda: _count(which))
        far = page.offset >= _FAR
        order = (which.sort, which.descending, far)
        listing = self._link.built((_filtered, "rows", *shape, *order), lambda: _listing(which, far))
        rows = await self._link.rows(listing, {**values, "limit": page.limit, "offset": page.offset})
        total = page.known_total(len(rows))
        if total is None:
            [(total,)] = await self._link.rows(count, values)
        return Page(tuple(map(_user, rows)), page.offset, page.limit, total)

    async def count(self, active_since: Timestamp = 0.0) -> int:
        [(found,)] = await self._link.rows(_COUNT, {"since": active_since})
        return int(found)

    async def touch(self, moments: Mapping[int, Timestamp]) -> None:
        # In one order, so that two hubs that write the same users cannot block each other for ever.
        await self._link.change_many(_TOUCH, [{"key": key, "at": moments[key]} for key in sorted(moments)])


def _filtered(query: Select[*tuple[Any, ...]], which: UserFilter) -> Select[*tuple[Any, ...]]:
    if which.name_contains:
        query = query.where(Contains(users.c.folded, "part"))
    if which.names is not None:
        query = query.where(_chosen(bool(which.groups)))
    if which.state is not None:
        owners = users.c.id.in_(_owners(which.state))
        query = query.where(~owners if which.state == "inactive" else owners)
    return query


def _owners(state: str) -> Select[int]:
    """Return the ids of those who have a server in a state, some of them twice."""
    # What is ready is active, too: saying so finds it by the same index.
    return select(servers.c.user_id).where(ACTIVE, *((READY,) if state == "ready" else ()))


def _by_servers(which: UserFilter) -> bool:
    """Tell whether the index of active servers alone says who is on a page."""
    return which.state in ("active", "ready") and which.names is None and not which.name_contains


def _by_name(which: UserFilter) -> bool:
    """Tell whether a part of the name alone says who is chosen."""
    return bool(which.name_contains) and which.names is None and which.state is None


def _chosen(by_group: bool) -> ColumnElement[bool]:
    named = OneOf(users.c.name, "names")
    if not by_group:
        return named
    members = (
        select(group_members.c.user_id)
        .join(groups, groups.c.id == group_members.c.group_id)
        .where(OneOf(groups.c.name, "groups"))
    )
    return or_(named, users.c.id.in_(members))


def _count(which: UserFilter) -> Select[*tuple[Any, ...]]:
    if which.state == "inactive":
        # Who is active is found by an index, who is not only by looking at everybody.
        everybody, active = _count(replace(which, state=None)), _count(replace(which, state="active"))
        return select(everybody.scalar_subquery() - active.scalar_subquery())
    if which.state is not None and _by_servers(which):
        owners = _owners(which.state)
        return owners.with_only_columns(func.count(servers.c.user_id.distinct()))
    if _by_name(which):
        return user_blocks.search(False).order_by(None).with_only_columns(func.count())
    if which.names is None and which.state is None:
        return user_blocks.count()
    return _filtered(select(func.count()).select_from(users), which)


def _listing(which: UserFilter, far: bool) -> Select[*tuple[Any, ...]]:
    key = _SORTS[which.sort]
    # No two names are equal, and saying more than the name would keep the index for the search from serving.
    ties = () if which.sort == "name" else (users.c.id,)
    order = (key.desc() if which.descending else key, *ties)
    # The page is found in an index alone: rows may be long, and those before it are only passed over.
    page = _page(which, far) if which.sort == "id" else None
    if page is None:
        page = _filtered(select(users.c.id), which).order_by(*order).offset(bindparam("offset"))
    ids = page.limit(bindparam("limit")).correlate(None)
    return _SELECT.where(users.c.id.in_(ids)).order_by(*order)


def _page(which: UserFilter, far: bool) -> Select[int] | None:
    """Return the ids of a page where something knows them better than the users; None where nothing does."""
    offset: BindParameter[int] = bindparam("offset")
    if which.state is not None and _by_servers(which):
        owner = servers.c.user_id
        owners = _owners(which.state).distinct()
        return owners.order_by(owner.desc() if which.descending else owner).offset(offset)
    if _by_name(which):
        return user_blocks.search(which.descending).offset(offset)
    if far and which == UserFilter():
        left, rest = user_blocks.passed_over()
        return select(users.c.id).where(left).order_by(users.c.id).offset(rest)
    return None


def _user(row: Row) -> User:
    user_id, name, admin, created, last_activity, info = row
    told = from_json(info) if info else {}
    return _new_user(user_id, name, bool(admin), created, last_activity or None, told)


def _gone() -> NotFound:
    return NotFound("This user does not exist any more.")
