"""Single values that belong to the installation."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from carrel.storage.sql.engine import Link
from carrel.storage.sql.tables import facts

_GET = select(facts.c.value).where(facts.c.key == bindparam("key"))
_ROW = insert(facts).values(key=bindparam("key"), value=bindparam("value"))
_ADD = _ROW.on_conflict_do_nothing(index_elements=["key"])
_PUT = _ROW.on_conflict_do_update(index_elements=["key"], set_={"value": _ROW.excluded.value})


class SqlFacts:
    """See `carrel.storage.facts`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, key: str) -> str | None:
        rows = await self._link.rows(_GET, {"key": key})
        return str(rows[0][0]) if rows else None

    async def put(self, key: str, value: str) -> None:
        await self._link.change(_PUT, {"key": key, "value": value})

    async def add(self, key: str, value: str) -> str:
        await self._link.change(_ADD, {"key": key, "value": value})
        return await self.get(key) or value
