"""Roles and who has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import bindparam, delete, exists, literal_column, select, union_all
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.roles import Role
from carrel.storage.roles import BearerKind, HeldRole
from carrel.storage.sql.columns import to_json, to_scopes
from carrel.storage.sql.engine import Link, OneOf, Row, Value
from carrel.storage.sql.groups import gather
from carrel.storage.sql.tables import group_members, groups, role_bearers, role_users, roles

_COLUMNS = (roles.c.name, roles.c.description, roles.c.scopes, roles.c.managed_by_auth, roles.c.id)
_SELECT = select(*_COLUMNS)
_ALL = _SELECT.order_by(roles.c.id)
_NAMED = _ALL.where(OneOf(roles.c.name, "names"))
_FIELDS = ("description", "scopes", "managed_by_auth")
_ROW = insert(roles).values({name: bindparam(name) for name in ("name", *_FIELDS)})
_PUT = _ROW.on_conflict_do_update(
    index_elements=["name"], set_={name: _ROW.excluded[name] for name in _FIELDS}
).returning(roles.c.id)
_DELETE = delete(roles).where(roles.c.id == bindparam("id"))

_ALIKE = roles.alias("alike")
_OF_USER_IDS = union_all(
    select(_ALIKE.c.id).where(_ALIKE.c.name == literal_column("'user'")),
    select(role_users.c.role_id).where(role_users.c.user_id == bindparam("user_id")),
    select(role_bearers.c.role_id)
    .join(groups, groups.c.name == role_bearers.c.name)
    .join(group_members, group_members.c.group_id == groups.c.id)
    .where(
        role_bearers.c.kind == literal_column("'groups'"), group_members.c.user_id == bindparam("user_id")
    ),
)
_DIRECT = exists().where(role_users.c.role_id == roles.c.id, role_users.c.user_id == bindparam("user_id"))
_OF_USER = select(*_COLUMNS, _DIRECT).where(roles.c.id.in_(_OF_USER_IDS)).order_by(roles.c.name)
_OF_USERS = (
    select(role_users.c.user_id, roles.c.name)
    .join(roles, roles.c.id == role_users.c.role_id)
    .where(OneOf(role_users.c.user_id, "ids"))
    .order_by(roles.c.name)
)
_OF_BEARERS = (
    select(role_bearers.c.name, *_COLUMNS)
    .join(roles, roles.c.id == role_bearers.c.role_id)
    .where(role_bearers.c.kind == bindparam("kind"), OneOf(role_bearers.c.name, "names"))
    .order_by(roles.c.name)
)
_USERS = select(role_users.c.user_id, role_users.c.managed_by_auth).where(
    role_users.c.role_id == bindparam("role_id")
)
_BEARERS = select(role_bearers.c.name, role_bearers.c.managed_by_auth).where(
    role_bearers.c.role_id == bindparam("role_id"), role_bearers.c.kind == bindparam("kind")
)
_GRANT_ROW = insert(role_users).values({c.name: bindparam(c.name) for c in role_users.c})
_GRANT = _GRANT_ROW.on_conflict_do_update(
    index_elements=["role_id", "user_id"], set_={"managed_by_auth": _GRANT_ROW.excluded.managed_by_auth}
)
_REVOKE = delete(role_users).where(
    role_users.c.role_id == bindparam("role_id"), OneOf(role_users.c.user_id, "user_ids")
)
_BEAR_ROW = insert(role_bearers).values({c.name: bindparam(c.name) for c in role_bearers.c})
_BEAR = _BEAR_ROW.on_conflict_do_update(
    index_elements=["role_id", "kind", "name"],
    set_={"managed_by_auth": _BEAR_ROW.excluded.managed_by_auth},
)
_UNBEAR = delete(role_bearers).where(
    role_bearers.c.role_id == bindparam("role_id"),
    role_bearers.c.kind == bindparam("kind"),
    OneOf(role_bearers.c.name, "names"),
)


class SqlRoles:
    """See `carrel.storage.roles`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def all(self) -> Sequence[Role]:
        return [_role(row) for row in await self._link.rows(_ALL, {})]

    async def named(self, names: Iterable[str]) -> Sequence[Role]:
        return [_role(row) for row in await self._link.rows(_NAMED, {"names": to_json(sorted(names))})]

    async def put(self, role: Role) -> int:
        values: dict[str, Value] = {
            "name": role.name,
            "description": role.description,
            "scopes": to_json(role.scopes),
            "managed_by_auth": role.managed_by_auth,
        }
        [(role_id,)] = await self._link.rows(_PUT, values)
        return int(role_id)

    async def delete(self, role_id: int) -> None:
        await self._link.change(_DELETE, {"id": role_id})

    async def of_user(self, user_id: int) -> Sequence[HeldRole]:
        rows = await self._link.rows(_OF_USER, {"user_id": user_id})
        return [HeldRole(_role(row[:-1]), bool(row[-1])) for row in rows]

    async def of_users(self, user_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
        return gather(await self._link.rows(_OF_USERS, {"ids": to_json(sorted(user_ids))}))

    async def of_bearers(self, kind: BearerKind, names: Iterable[str]) -> Mapping[str, tuple[Role, ...]]:
        values: dict[str, Value] = {"kind": kind, "names": to_json(sorted(names))}
        found: dict[str, list[Role]] = {}
        for name, *columns in await self._link.rows(_OF_BEARERS, values):
            found.setdefault(name, []).append(_role(tuple(columns)))
        return {name: tuple(each) for name, each in found.items()}

    async def users(self, role_id: int) -> Mapping[int, bool]:
        return {row[0]: bool(row[1]) for row in await self._link.rows(_USERS, {"role_id": role_id})}

    async def bearers(self, role_id: int, kind: BearerKind) -> Mapping[str, bool]:
        rows = await self._link.rows(_BEARERS, {"role_id": role_id, "kind": kind})
        return {row[0]: bool(row[1]) for row in rows}

    async def grant(self, role_id: int, user_ids: Iterable[int], *, managed: bool = False) -> None:
        values: list[dict[str, Value]] = [
            {"role_id": role_id, "user_id": each, "managed_by_auth": managed} for each in sorted(user_ids)
        ]
        await self._link.change_many(_GRANT, values)

    async def revoke(self, role_id: int, user_ids: Iterable[int]) -> None:
        await self._link.change(_REVOKE, {"role_id": role_id, "user_ids": to_json(sorted(user_ids))})

    async def give(
        self, role_id: int, kind: BearerKind, names: Iterable[str], *, managed: bool = False
    ) -> None:
        values: list[dict[str, Value]] = [
            {"role_id": role_id, "kind": kind, "name": name, "managed_by_auth": managed}
            for name in sorted(names)
        ]
        await self._link.change_many(_BEAR, values)

    async def take(self, role_id: int, kind: BearerKind, names: Iterable[str]) -> None:
        values: dict[str, Value] = {"role_id": role_id, "kind": kind, "names": to_json(sorted(names))}
        await self._link.change(_UNBEAR, values)


def _role(row: Row) -> Role:
    name, description, scopes, managed, role_id = row
    return Role(name, description, to_scopes(scopes), bool(managed), role_id)
