"""Copies of the whole database, made while it is in use, and how one is put back.

Each is an SQLite file with every table as it was, of PostgreSQL's as well: it takes no program to make one,
and any SQLite shell can look inside. Its name says what it was made for, when, and at which revision of the
schema: `carrel.sqlite.before-upgrade-20260501T120000Z-0007`.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import MetaData, inspect, text

from carrel.lib.clock import Clock, Timestamp
from carrel.storage.base import StorageError
from carrel.storage.sql.tables import DERIVED_TABLES, OWN_TABLES

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: What a copy is made for. Those that nobody asked for are kept for a while, the newest few of each.
Occasion = Literal["backup", "before-upgrade", "before-rollback", "before-import"]
_KEPT = 5
_FORM = re.compile(r"(backup|before-[a-z]+)-(?:([0-9]{8}T[0-9]{6}Z)-)?([0-9A-Za-z_]+)")
_TIME = "%Y%m%dT%H%M%SZ"
#: A copy may be a little larger than what is known of the original's size.
_MARGIN = 1.1
_BATCH = 1000
_REVISION = "SELECT version_num FROM alembic_version"


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy."""

    path: Path
    occasion: str
    made: Timestamp
    revision: str
    size: int
    """Bytes."""


class Backups:
    """The copies of one database, beside each other; their names begin with `base`."""

    def __init__(self, base: Path, clock: Clock) -> None:
        self.base = base
        self._clock = clock

    def all(self) -> list[Backup]:
        """Return the copies that there are, the newest first."""
        found = [_read_name(self.base, path) for path in self.base.parent.glob(f"{self.base.name}.*")]
        return sorted((each for each in found if each is not None), key=lambda each: each.made, reverse=True)

    def name(self, occasion: Occasion, revision: str) -> Path:
        """Return what a copy made now is called; of two made in one second the other is a second later."""
        moment = self._clock.now()
        while True:
            stamp = datetime.fromtimestamp(moment, UTC).strftime(_TIME)
            path = self.base.with_name(f"{self.base.name}.{occasion}-{stamp}-{revision}")
            if not path.exists():
                return path
            moment += 1

    def copy_sqlite(
        self, source: sqlite3.Connection, occasion: Occasion, revision: str, target: Path | None = None
    ) -> Path:
        """Return the new copy of a database file; others may go on using it. Raises StorageError.

        Old copies stay until `forget_old`.
        """
        path = target or self.name(occasion, revision)
        [(pages,)], [(page_size,)] = (
            source.execute(f"PRAGMA {name}").fetchall() for name in ("page_count", "page_size")
        )
        with _draft(path, pages * page_size) as draft, closing(sqlite3.connect(draft)) as copy:
            source.backup(copy)
            # Nobody writes to it: a log beside it would only be another file to lose.
            copy.execute("PRAGMA journal_mode=DELETE")
        return path

    def copy_postgresql(
        self, source: Connection, occasion: Occasion, revision: str, target: Path | None = None
    ) -> Path:
        """Return the new copy of what `source` sees in its transaction; see `copy_sqlite`."""
        path = target or self.name(occasion, revision)
        size = source.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        with _draft(path, size) as draft, closing(sqlite3.connect(draft)) as copy:
            for table in OWN_TABLES.intersection(inspect(source).get_table_names()):
                _copy_table(source, copy, table)
            copy.commit()
        return path

    def forget_old(self, occasion: Occasion) -> None:
        """Remove all copies that nobody asked for but the newest few of those made for `occasion`."""
        if occasion == "backup":
            return
        for old in [each for each in self.all() if each.occasion == occasion][_KEPT:]:
            old.path.unlink(missing_ok=True)


def read_backup(path: Path) -> str:
    """Return the revision of the copy in a file; raise StorageError for what is none, or is damaged."""
    if not path.is_file():
        raise StorageError(f"There is no file {path}.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            sound = copy.execute("PRAGMA quick_check").fetchone()
            tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            revisions = copy.execute(_REVISION).fetchall() if "alembic_version" in tables else []
    except sqlite3.Error as error:
        raise StorageError(f"{path} is no SQLite file: {error}.") from error
    if sound != ("ok",):
        raise StorageError(f"{path} is damaged: {sound[0] if sound else 'unreadable'}.")
    if not {"facts", "servers"} <= tables or len(revisions) != 1:
        raise StorageError(f"{path} is no copy of a Carrel database.")
    return str(revisions[0][0])


def restore_sqlite(path: Path, target: sqlite3.Connection) -> None:
    """Make a database what its copy is, in one transaction of SQLite's own; raises StorageError."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            copy.backup(target)
    except sqlite3.Error as error:
        raise StorageError(f"{path} could not be put back: {error}; the database is as it was.") from error


def restore_rows(path: Path, target: Connection) -> None:
    """Fill empty tables with the rows of a copy, inside the caller's transaction."""
    metadata = MetaData()
    metadata.reflect(target, only=lambda name, _: name in OWN_TABLES)
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as copy:
        copy.row_factory = sqlite3.Row
        for table in metadata.sorted_tables:
            if table.name in DERIVED_TABLES:
                continue
            target.execute(table.delete())
            for rows in _batches(copy, table.name):
                values = [{name: _as(table.c[name].type, row[name]) for name in row.keys()} for row in rows]  # noqa: SIM118
                target.execute(table.insert(), values)
            if "id" in table.c and table.c.id.server_default is not None:
                target.execute(text(_SET_SEQUENCE.format(table.name)))


_SET_SEQUENCE = (
    "SELECT setval(pg_get_serial_sequence('{0}', 'id'), max(id)) FROM {0} HAVING max(id) IS NOT NULL"
)


def _as(kind: Any, value: Any) -> Any:
    """Return a value of SQLite's, which has no booleans, as a column has it."""
    return bool(value) if value is not None and kind.python_type is bool else value


def _batches(copy: sqlite3.Connection, table: str) -> Iterator[Sequence[sqlite3.Row]]:
    known = copy.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if known is None:
        return
    cursor = copy.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a table's name
    while rows := cursor.fetchmany(_BATCH):
        yield rows


def _copy_table(source: Connection, copy: sqlite3.Connection, table: str) -> None:
    quoted = source.dialect.identifier_preparer.quote(table)
    query = text(f"SELECT * FROM {quoted}")  # noqa: S608
    rows = source.execute(query, execution_options={"yield_per": _BATCH})
    names = ", ".join(f'"{name}"' for name in rows.keys())  # noqa: SIM118
    copy.execute(f'CREATE TABLE "{table}" ({names})')
    places = ", ".join("?" * len(rows.keys()))
    for batch in rows.partitions():
        copy.executemany(f'INSERT INTO "{table}" VALUES ({places})', [tuple(row) for row in batch])  # noqa: S608


@contextmanager
def _draft(path: Path, size: int) -> Iterator[Path]:
    """Yield a file that is called `path` once it is complete and on the disk; its owner alone may read it.

    Raises StorageError before anything is written when there is no room, and when it cannot be written.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        free = shutil.disk_usage(path.parent).free
        if free < size * _MARGIN:
            raise StorageError(
                f"No backup can be made at {path}: it takes {_megabytes(size * _MARGIN)} MB, and "
                f"{_megabytes(free)} are free."
            )
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(f"No backup can be made at {path}: {reason}.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _megabytes(size: float) -> int:
    return round(size / 1024 / 1024)


def _read_name(base: Path, path: Path) -> Backup | None:
    found = _FORM.fullmatch(path.name.removeprefix(f"{base.name}."))
    if found is None:
        return None
    try:
        seen = path.stat()
    except FileNotFoundError:
        # Another hub has just removed it.
        return None
    made = seen.st_mtime if found[2] is None else _moment(found[2])
    return Backup(path, found[1], made, found[3], seen.st_size)


def _moment(stamp: str) -> Timestamp:
    return datetime.strptime(stamp, _TIME).replace(tzinfo=UTC).timestamp()
