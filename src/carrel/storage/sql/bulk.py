"""Whole tables at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from carrel.storage.bulk import Rows
from carrel.storage.sql.engine import Link
from carrel.storage.sql.tables import facts, hubs, metadata

#: Processes in the world carry the installation's id, and a hub that is at work says so.
_KEPT = (facts, hubs)


class _GoOnAbove(Executable, ClauseElement):
    """Have a table's next number be above all that are there."""

    inherit_cache = False

    def __init__(self, table: Table) -> None:
        self.table = table


@compiles(_GoOnAbove, "sqlite")
def _nothing(element: _GoOnAbove, compiler: SQLCompiler, **kw: Any) -> str:
    # AUTOINCREMENT looks at what is there.
    return "SELECT 1"


@compiles(_GoOnAbove, "postgresql")
def _set_sequence(element: _GoOnAbove, compiler: SQLCompiler, **kw: Any) -> str:
    name = element.table.name
    return f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name} HAVING max(id) > 0"  # noqa: S608 - a table of ours


def _insert(table: Table, columns: Sequence[str]) -> Executable:
    return insert(table).values({name: bindparam(name) for name in columns})


class SqlBulk:
    """See `carrel.storage.bulk`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def put(self, rows: Mapping[str, Rows]) -> None:
        for table in metadata.sorted_tables:
            some = rows.get(table.name)
            if not some:
                continue
            columns = tuple(some[0])
            statement = self._link.built(("bulk", table.name, columns), partial(_insert, table, columns))
            await self._link.change_many(statement, [dict(row) for row in some])
            if table.autoincrement_column is not None and "id" in columns:
                await self._link.rows(self._built("number", table, _GoOnAbove), {})

    async def all(self, table: str) -> Rows:
        found = metadata.tables[table]
        names = [column.name for column in found.columns]
        rows = await self._link.rows(self._built("all", found, lambda each: select(*each.columns)), {})
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def count(self, table: str) -> int:
        statement = self._built(
            "count", metadata.tables[table], lambda each: select(func.count()).select_from(each)
        )
        [(count,)] = await self._link.rows(statement, {})
        return int(count)

    async def clear(self) -> None:
        for table in reversed(metadata.sorted_tables):
            if table not in _KEPT:
                await self._link.change(self._built("clear", table, delete), {})

    def _built(self, what: str, table: Table, build: Any) -> Executable:
        return self._link.built(("bulk", what, table.name), lambda: build(table))
