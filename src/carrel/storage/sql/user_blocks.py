"""Users by blocks of their ids: whose names may have a part in them, and where a page far behind begins."""

from __future__ import annotations

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnClause,
    ColumnElement,
    Select,
    bindparam,
    func,
    literal_column,
    select,
)

from carrel.storage.sql.engine import Contains
from carrel.storage.sql.tables import BLOCK, user_blocks, users

_BITS: ColumnClause[int] = literal_column(str(BLOCK.bit_length() - 1))
_LAST: ColumnClause[int] = literal_column(str(BLOCK - 1))
_NONE: ColumnClause[int] = literal_column("0")
_OFFSET: BindParameter[int] = bindparam("offset")

#: What makes a new SQLite database keep its blocks right; one that grew older gets the same by migrations.
SQLITE_TRIGGERS = (
    """
CREATE TRIGGER user_blocks_insert AFTER INSERT ON users BEGIN
INSERT INTO user_blocks (block, people, names)
VALUES (NEW.id >> 7, 1, char(10) || NEW.folded || char(10))
ON CONFLICT (block) DO UPDATE SET people = people + 1, names = names || substr(excluded.names, 2);
END
""",
    """
CREATE TRIGGER user_blocks_update AFTER UPDATE OF folded ON users BEGIN
UPDATE user_blocks SET names = names || NEW.folded || char(10)
WHERE block = NEW.id >> 7 AND instr(names, char(10) || NEW.folded || char(10)) = 0;
END
""",
    """
CREATE TRIGGER user_blocks_delete AFTER DELETE ON users BEGIN
UPDATE user_blocks SET people = people - 1 WHERE block = OLD.id >> 7;
DELETE FROM user_blocks WHERE block = OLD.id >> 7 AND people < 1;
END
""",
)


def search(descending: bool) -> Select[int]:
    """Return the ids of those whose name has the text bound as `part` in it, in their order.

    Only blocks with such a name are looked into. Some have it of somebody who is gone: users' own names have
    the last word.
    """
    first = user_blocks.c.block.op("<<")(_BITS)
    order = (user_blocks.c.block, users.c.id)
    return (
        select(users.c.id)
        .join_from(user_blocks, users, users.c.id.between(first, first + _LAST))
        .where(Contains(user_blocks.c.names, "part"), Contains(users.c.folded, "part"))
        .order_by(*((each.desc() for each in order) if descending else order))
    )


def passed_over() -> tuple[ColumnElement[bool], ColumnElement[int]]:
    """Return which users are left without the blocks that end before `offset`, and what is left of that."""
    people, offset = user_blocks.c.people, _OFFSET
    before = (func.sum(people).over(order_by=user_blocks.c.block) - people).label("before")
    sums = select(user_blocks.c.block, before).subquery()
    found: CTE = (
        select(func.max(sums.c.block).label("block"), func.max(sums.c.before).label("before"))
        .where(sums.c.before <= offset)
        .cte("passed_over")
    )
    first = select(found.c.block.op("<<")(_BITS)).scalar_subquery()
    passed = select(found.c.before).scalar_subquery()
    return users.c.id >= func.coalesce(first, _NONE), offset - func.coalesce(passed, _NONE)


def count() -> Select[int]:
    """Return how many users there are, without looking at them."""
    return select(func.coalesce(func.sum(user_blocks.c.people), _NONE))
