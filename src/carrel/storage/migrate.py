"""Whose database it is, and how it becomes the one that this release reads.

Alembic is imported only when there is something to change.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import StaticPool, create_engine, text
from sqlalchemy.pool import NullPool

from carrel.storage.base import SchemaMismatch, StorageError
from carrel.storage.sql.tables import REVISION

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).parent / "migrations"
#: Any number that no other program locks: hubs that start together upgrade one after the other.
_ADVISORY_LOCK = 0x63617272656C


def examine(revisions: Sequence[str], tables: Callable[[], Sequence[str]]) -> str:
    """Return the revision of a database, empty for one without tables; `tables` is asked when in doubt.

    Raises SchemaMismatch for a database of a newer release or of another program.
    """
    if list(revisions) == [REVISION]:
        return REVISION
    present = set(tables())
    if "spawners" in present:
        raise SchemaMismatch(
            "This is a JupyterHub database, which Carrel leaves untouched: "
            "give Carrel a database of its own (db_url)."
        )
    if not revisions and not present - {"alembic_version"}:
        return ""
    if len(revisions) != 1 or not {"facts", "servers"} <= present:
        raise SchemaMismatch("This database belongs to another program: give Carrel one of its own (db_url).")
    if revisions[0] not in _known():
        raise SchemaMismatch(
            f"This database was written by a newer Carrel (its schema is {revisions[0]}, ours {REVISION}): "
            "install that release, or restore the backup made when it was upgraded."
        )
    return revisions[0]


def upgrade_sqlite(connection: sqlite3.Connection, found: str, path: Path | None, *, claimed: bool) -> None:
    """Create the schema, or copy the file to `<file>.backup-<revision>` and upgrade it, all or nothing.

    May be repeated. Raises StorageError when a hub may be at work on an older schema.
    """
    if found and not claimed:
        raise SchemaMismatch(f"The database has the older schema {found}: start the hub once to upgrade it.")
    if found and path is not None:
        _back_up(connection, Path(f"{path}.backup-{found}"))
    # Rebuilding a table drops the old one, and a drop deletes what refers to it while keys are enforced.
    connection.execute("PRAGMA foreign_keys=OFF")
    try:
        connection.execute("BEGIN IMMEDIATE")
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        with engine.connect() as shared:
            _run_alembic(shared)
            shared.commit()
    finally:
        if connection.in_transaction:
            connection.rollback()
        connection.execute("PRAGMA foreign_keys=ON")


def upgrade_postgresql(url: str) -> None:
    """Create or upgrade the schema, one hub at a time. Blocks: call it in a thread. May be repeated."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        _run_alembic(connection)


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"No backup could be made at {target}, so nothing was upgraded: {error}."
        ) from error


def _run_alembic(connection: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _known() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
