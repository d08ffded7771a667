"""Whole tables at once, row by row as they are: how a database is filled from another one, and read for one.

Rows are named by their columns; what the values mean is in `storage/sql/tables.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Rows = Sequence[Mapping[str, Any]]


class Bulk(Protocol):
    """All tables, in an order in which no row refers to a later one."""

    async def put(self, rows: Mapping[str, Rows]) -> None:
        """Add rows, by table; those of a table all have the same columns. Numbers given later are higher.

        Raises Conflict for one that is there already.
        """

    async def all(self, table: str) -> Rows:
        """Return every row of a table."""

    async def count(self, table: str) -> int: ...
    async def clear(self) -> None:
        """Remove every row but those that say which installation this is, and which hubs are at work."""
