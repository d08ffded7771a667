"""Log-ins that another hub began."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from carrel.lib.clock import Timestamp
from carrel.storage.sql.engine import Link, Value
from carrel.storage.sql.tables import imported_logins

_ADD = (
    insert(imported_logins)
    .values({c: bindparam(c.name) for c in imported_logins.c})
    .on_conflict_do_nothing(index_elements=["hashed"])
)
_OWNER = select(imported_logins.c.user_id).where(
    imported_logins.c.hashed == bindparam("hashed"),
    imported_logins.c.spent.is_(None),
    imported_logins.c.expires > bindparam("now"),
)
_SPENT = select(imported_logins.c.spent).where(imported_logins.c.hashed == bindparam("hashed"))
_DELETE_OF_USER = delete(imported_logins).where(imported_logins.c.user_id == bindparam("user_id"))
_PURGE = delete(imported_logins).where(imported_logins.c.expires <= bindparam("now"))


class SqlImportedLogins:
    """See `carrel.storage.imported_logins`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, hashed: str, user_id: int, *, expires: Timestamp) -> None:
        values: dict[str, Value] = {"hashed": hashed, "user_id": user_id, "expires": expires, "spent": None}
        await self._link.change(_ADD, values)

    async def owner(self, hashed: str, *, now: Timestamp) -> int | None:
        rows = await self._link.rows(_OWNER, {"hashed": hashed, "now": now})
        return int(rows[0][0]) if rows else None

    async def spend(self, hashed: str, user_id: int, *, now: Timestamp, expires: Timestamp) -> Timestamp:
        values: dict[str, Value] = {"hashed": hashed, "user_id": user_id, "expires": expires, "spent": now}
        await self._link.change(_ADD, values)
        [(spent,)] = await self._link.rows(_SPENT, {"hashed": hashed})
        return float(spent)

    async def delete_of_user(self, user_id: int) -> int:
        return await self._link.change(_DELETE_OF_USER, {"user_id": user_id})

    async def purge(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE, {"now": now})
