"""Shares of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select, union_all
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.paging import Page, PageRequest
from carrel.domain.shares import Receiver, ReceiverKind, Share, SharedServer
from carrel.lib.clock import Timestamp
from carrel.storage.shares import ShareFilter
from carrel.storage.sql.columns import to_json, to_scopes
from carrel.storage.sql.engine import Link, Row, Value
from carrel.storage.sql.tables import READY, group_members, groups, servers, shares, users

T = TypeVar("T")

OWNERS = users.alias("owners")
#: The columns of a SharedServer, in order; a query joins `servers` and these `owners`.
SERVER_COLUMNS = (servers.c.id, OWNERS.c.id, OWNERS.c.name, servers.c.name, READY.label("ready"))

_SELECT = select(
    shares.c.id,
    *SERVER_COLUMNS,
    shares.c.user_id,
    users.c.name,
    shares.c.group_id,
    groups.c.name,
    shares.c.scopes,
    shares.c.created,
).select_from(
    shares.join(servers, servers.c.id == shares.c.server_id)
    .join(OWNERS, OWNERS.c.id == servers.c.user_id)
    .join(users, users.c.id == shares.c.user_id, isouter=True)
    .join(groups, groups.c.id == shares.c.group_id, isouter=True)
)
#: Which column names a receiver of each kind.
_RECEIVERS: Mapping[ReceiverKind, ColumnElement[Any]] = {"user": shares.c.user_id, "group": shares.c.group_id}
_FIND: Mapping[ReceiverKind, Select[Any]] = {
    kind: _SELECT.where(shares.c.server_id == bindparam("server_id"), column == bindparam("receiver_id"))
    for kind, column in _RECEIVERS.items()
}


def _put(column: str) -> Any:
    row = insert(shares).values(
        server_id=bindparam("server_id"),
        scopes=bindparam("scopes"),
        created=bindparam("created"),
        **{column: bindparam("receiver_id")},
    )
    return row.on_conflict_do_update(
        index_elements=["server_id", column], set_={"scopes": row.excluded.scopes}
    )


_PUT: Mapping[ReceiverKind, Any] = {"user": _put("user_id"), "group": _put("group_id")}
_DELETE = delete(shares).where(shares.c.id == bindparam("id"))
_DELETE_OF_SERVER = delete(shares).where(shares.c.server_id == bindparam("server_id"))
# Two look-ups by an index each, which no planner makes of one condition.
_IDS_OF_USER = union_all(
    select(shares.c.id).where(shares.c.user_id == bindparam("user_id")),
    select(shares.c.id)
    .join(group_members, group_members.c.group_id == shares.c.group_id)
    .where(group_members.c.user_id == bindparam("user_id")),
)
_OF_USER = _SELECT.where(shares.c.id.in_(_IDS_OF_USER)).order_by(shares.c.id)
_OF_GROUP = _SELECT.where(shares.c.group_id == bindparam("group_id")).order_by(shares.c.id)
#: What a listing may be narrowed to.
_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "owner_id": servers.c.user_id == bindparam("owner_id"),
    "server_id": shares.c.server_id == bindparam("server_id"),
    "user_id": shares.c.id.in_(_IDS_OF_USER),
    "group_id": shares.c.group_id == bindparam("group_id"),
}


class SqlShares:
    """See `carrel.storage.shares`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def find(self, server_id: int, receiver: Receiver) -> Share | None:
        values = {"server_id": server_id, "receiver_id": receiver.id}
        rows = await self._link.rows(_FIND[receiver.kind], values)
        return _share(rows[0]) if rows else None

    async def put(
        self, server_id: int, receiver: Receiver, scopes: Iterable[str], *, now: Timestamp
    ) -> Share:
        values: dict[str, Value] = {
            "server_id": server_id,
            "receiver_id": receiver.id,
            "scopes": to_json(sorted(scopes)),
            "created": now,
        }
        await self._link.change(_PUT[receiver.kind], values)
        [row] = await self._link.rows(
            _FIND[receiver.kind], {"server_id": server_id, "receiver_id": receiver.id}
        )
        return _share(row)

    async def delete(self, share_id: int) -> bool:
        return await self._link.change(_DELETE, {"id": share_id}) > 0

    async def delete_of_server(self, server_id: int) -> int:
        return await self._link.change(_DELETE_OF_SERVER, {"server_id": server_id})

    async def of_user(self, user_id: int) -> Sequence[Share]:
        return [_share(row) for row in await self._link.rows(_OF_USER, {"user_id": user_id})]

    async def of_group(self, group_id: int) -> Sequence[Share]:
        return [_share(row) for row in await self._link.rows(_OF_GROUP, {"group_id": group_id})]

    async def page(self, which: ShareFilter, page: PageRequest) -> Page[Share]:
        name, value = narrowed(which)
        return await read_page(
            self._link, _SELECT, shares.c.id, _CONDITIONS[name], {name: value}, page, _share
        )


def narrowed(which: ShareFilter) -> tuple[str, int]:
    """Return the one field of a filter that is given; raise ValueError for none and for several."""
    given = {name: value for name in ShareFilter.__slots__ if (value := getattr(which, name)) is not None}
    [(name, value)] = given.items()
    return name, value


async def read_page(
    link: Link,
    query: Select[Any],
    key: ColumnElement[int],
    condition: ColumnElement[bool],
    values: Mapping[str, Value],
    page: PageRequest,
    read: Callable[[Row], T],
) -> Page[T]:
    """Return the rows of a query that a condition selects, in the order of `key`; two queries."""
    counting = link.built(
        (read_page, "count", id(condition)),
        lambda: select(func.count()).select_from(query.get_final_froms()[0]).where(condition),
    )
    listing = link.built(
        (read_page, "rows", id(condition)),
        lambda: query.where(condition).order_by(key).limit(bindparam("limit")).offset(bindparam("offset")),
    )
    [(total,)] = await link.rows(counting, values)
    rows = await link.rows(listing, {**values, "limit": page.limit, "offset": page.offset})
    return Page(tuple(map(read, rows)), page.offset, page.limit, total)


def _share(row: Row) -> Share:
    share_id, *server, user_id, user_name, group_id, group_name, scopes, created = row
    if user_id is None:
        receiver = Receiver("group", group_id, group_name)
    else:
        receiver = Receiver("user", user_id, user_name)
    return Share(share_id, shared_server(server), receiver, to_scopes(scopes), created)


def shared_server(columns: Sequence[Any]) -> SharedServer:
    """Return the record of SERVER_COLUMNS."""
    server_id, owner_id, owner, name, ready = columns
    return SharedServer(server_id, owner_id, owner, name, bool(ready))
