"""Codes that invite to a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal_column, select, update

from carrel.domain.paging import Page, PageRequest
from carrel.domain.shares import ShareCode
from carrel.lib.clock import Timestamp
from carrel.storage.shares import ShareFilter
from carrel.storage.sql.columns import MOST_SALTED, is_salted, to_json, to_scopes
from carrel.storage.sql.engine import Link, Row, Value
from carrel.storage.sql.shares import OWNERS, SERVER_COLUMNS, narrowed, read_page, shared_server
from carrel.storage.sql.tables import servers, share_codes

_ADD = insert(share_codes).values(
    {
        **{c.name: bindparam(c.name) for c in share_codes.c if c.name not in ("id", "exchange_count")},
        "exchange_count": literal_column("0"),
    }
)
_SELECT = select(
    share_codes.c.id,
    *SERVER_COLUMNS,
    share_codes.c.scopes,
    share_codes.c.created,
    share_codes.c.expires,
    share_codes.c.exchange_count,
    share_codes.c.last_exchanged,
).select_from(
    share_codes.join(servers, servers.c.id == share_codes.c.server_id).join(
        OWNERS, OWNERS.c.id == servers.c.user_id
    )
)
_GOOD = share_codes.c.expires > bindparam("now")
_FIND = _SELECT.where(share_codes.c.hashed == bindparam("hashed"), _GOOD)
_SALTED = (
    _SELECT.add_columns(share_codes.c.hashed)
    .where(share_codes.c.prefix == bindparam("prefix"), is_salted(share_codes.c.hashed), _GOOD)
    .order_by(func.length(share_codes.c.hashed), share_codes.c.id)
    .limit(bindparam("limit"))
    .offset(literal_column("0"))
)
_COUNT = (
    update(share_codes)
    .values(exchange_count=share_codes.c.exchange_count + literal_column("1"), last_exchanged=bindparam("at"))
    .where(share_codes.c.id == bindparam("key"))
)
_DELETE = delete(share_codes).where(
    share_codes.c.id == bindparam("id"), share_codes.c.server_id == bindparam("server_id")
)
_DELETE_OF_SERVER = delete(share_codes).where(share_codes.c.server_id == bindparam("server_id"))
_PURGE = delete(share_codes).where(share_codes.c.expires <= bindparam("now"))
#: What a listing may be narrowed to.
_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "owner_id": (servers.c.user_id == bindparam("owner_id")) & _GOOD,
    "server_id": (share_codes.c.server_id == bindparam("server_id")) & _GOOD,
}


class SqlShareCodes:
    """See `carrel.storage.shares`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(
        self,
        server_id: int,
        hashed: str,
        scopes: Iterable[str],
        *,
        now: Timestamp,
        expires: Timestamp,
        prefix: str = "",
    ) -> ShareCode:
        values: dict[str, Value] = {
            "server_id": server_id,
            "hashed": hashed,
            "scopes": to_json(sorted(scopes)),
            "created": now,
            "expires": expires,
            "last_exchanged": None,
            "prefix": prefix,
        }
        await self._link.change(_ADD, values)
        [row] = await self._link.rows(_FIND, {"hashed": hashed, "now": now})
        return _code(row)

    async def find(self, hashed: str, *, now: Timestamp) -> ShareCode | None:
        rows = await self._link.rows(_FIND, {"hashed": hashed, "now": now})
        return _code(rows[0]) if rows else None

    async def salted(self, prefix: str, *, now: Timestamp) -> Sequence[tuple[ShareCode, str]]:
        rows = await self._link.rows(_SALTED, {"prefix": prefix, "limit": MOST_SALTED, "now": now})
        return [(_code(row[:-1]), row[-1]) for row in rows]

    async def page(self, which: ShareFilter, page: PageRequest, *, now: Timestamp) -> Page[ShareCode]:
        name, value = narrowed(which)
        values: dict[str, Value] = {name: value, "now": now}
        return await read_page(self._link, _SELECT, share_codes.c.id, _CONDITIONS[name], values, page, _code)

    async def count_exchange(self, code_id: int, *, now: Timestamp) -> None:
        await self._link.change(_COUNT, {"key": code_id, "at": now})

    async def delete(self, server_id: int, code_id: int) -> bool:
        return await self._link.change(_DELETE, {"id": code_id, "server_id": server_id}) > 0

    async def delete_of_server(self, server_id: int) -> int:
        return await self._link.change(_DELETE_OF_SERVER, {"server_id": server_id})

    async def purge(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE, {"now": now})


def _code(row: Row) -> ShareCode:
    code_id, *server, scopes, created, expires, count, last = row
    return ShareCode(code_id, shared_server(server), to_scopes(scopes), created, expires, count, last)
