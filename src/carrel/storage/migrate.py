"""Whose database it is, and how it becomes the one that this release reads.

Alembic is imported only when there is something to change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

from sqlalchemy import StaticPool, create_engine, inspect, text
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from carrel.storage.backups import Backups
from carrel.storage.base import SchemaMismatch, StorageError
from carrel.storage.sql.tables import REVISION, USABLE_SINCE, metadata
from carrel.storage.sql.user_blocks import SQLITE_TRIGGERS

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

#: As Alembic makes it.
_VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
_TELL_USABLE = (
    "INSERT INTO facts (key, value) VALUES ('usable_since', '{0}') "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
#: The query for the oldest revision whose releases may use a database that a newer release has upgraded.
ASK_USABLE: LiteralString = "SELECT value FROM facts WHERE key = 'usable_since'"
#: An upgrade waits so long for the transactions of the hubs at work, in seconds.
_LOCK_LIMIT = 10
#: Any number that no other program locks: hubs that start together upgrade one after the other.
ADVISORY_LOCK = 0x63617272656C


@dataclass(frozen=True, slots=True)
class Schema:
    """The migrations in a directory, of which `revision` is the newest.

    Releases that know the revision `usable_since` may go on using the database after the upgrade: hubs of two
    releases run side by side while they are replaced one by one.
    """

    directory: Path = Path(__file__).parent / "migrations"
    revision: str = REVISION
    usable_since: str = USABLE_SINCE

    def examine(
        self,
        revisions: Sequence[str],
        tables: Callable[[], Sequence[str]],
        usable_since: str | None = None,
        *,
        claimed: bool,
    ) -> str:
        """Return the revision of a database, empty for one without tables; `tables` is asked when in doubt.

        Our own is returned for one of a newer release, too, when that release has said (`usable_since`)
        that we may use it.

        Raises SchemaMismatch for a database of a newer release or of another program, and for an older
        one without the hub's claim, since a hub may be at work on it.
        """
        if list(revisions) == [self.revision]:
            return self.revision
        present = set(tables())
        if "spawners" in present:
            raise SchemaMismatch(
                "This is a JupyterHub database, which Carrel leaves untouched: give Carrel one of its own "
                "(db_url), and take this one over with `carrel import-jupyterhub URL`."
            )
        if not revisions and not present - {"alembic_version", "sqlite_sequence"}:
            return ""
        if len(revisions) != 1 or not {"facts", "servers"} <= present:
            raise SchemaMismatch(
                "This database belongs to another program: give Carrel one of its own (db_url)."
            )
        known = self._known()
        if revisions[0] not in known:
            if usable_since in known:
                return self.revision
            raise SchemaMismatch(
                f"This database was written by a newer Carrel (its schema is {revisions[0]}, ours "
                f"{self.revision}): install that release, or go back with `carrel rollback`."
            )
        if not claimed:
            raise SchemaMismatch(
                f"The database has the older schema {revisions[0]}: start the hub once to upgrade it."
            )
        return revisions[0]

    def create_sqlite(self, connection: sqlite3.Connection) -> None:
        """Fill an empty database with the tables as they are now, all or nothing; raises StorageError.

        The migrations would come to the same (a test holds them to it), but Alembic alone takes longer to
        import than the rest of a start. A schema of other tables than ours goes through its migrations.
        """
        if self.revision != REVISION:
            self.upgrade_sqlite(connection, "")
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _sqlite_tables():
                connection.execute(statement)
            connection.execute(_VERSION_TABLE)
            connection.execute("INSERT INTO alembic_version VALUES (?)", (self.revision,))
            connection.execute(_TELL_USABLE.format(self.usable_since))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError("The schema could not be created; nothing was changed.") from error
        finally:
            if connection.in_transaction:
                connection.rollback()

    def upgrade_sqlite(
        self, connection: sqlite3.Connection, found: str, backups: Backups | None = None
    ) -> None:
        """Copy the database into `backups`, if given, and run the migrations, all or nothing.

        May be repeated. Raises StorageError; nothing is upgraded of which no copy can be made.
        """
        if found and backups is not None:
            with _unchanged():
                backups.copy_sqlite(connection, "before-upgrade", found)
                backups.forget_old("before-upgrade")
        # Rebuilding a table drops the old one, and a drop deletes what refers to it while keys are enforced.
        connection.execute("PRAGMA foreign_keys=OFF")
        try:
            engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
            with _explained(), engine.connect() as shared:
                # Only now: an engine's first act on a new connection is to roll it back.
                connection.execute("BEGIN IMMEDIATE")
                self._run_alembic(shared)
                shared.commit()
        finally:
            if connection.in_transaction:
                connection.rollback()
            connection.execute("PRAGMA foreign_keys=ON")

    def upgrade_postgresql(self, url: str, backups: Backups | None = None) -> None:
        """Create or upgrade the schema, one hub at a time, after a copy into `backups`, if given.

        Blocks: call it in a thread. May be repeated. Raises StorageError as `upgrade_sqlite` does.
        """
        engine = create_engine(url, poolclass=NullPool)
        with _explained(), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_LIMIT}s'"))
            found = _revision_of(connection)
            # Another hub may have been here while this one waited.
            if found not in ("", self.revision) and backups is not None:
                with _unchanged():
                    backups.copy_postgresql(connection, "before-upgrade", found)
                    backups.forget_old("before-upgrade")
            self._run_alembic(connection)

    def knows(self, revision: str) -> bool:
        """Tell whether there is a migration to a revision."""
        return revision in self._known()

    def make_tables(self, connection: Connection) -> None:
        """Make the tables of `revision` in a database without any, inside the caller's transaction."""
        self._run_alembic(connection)

    def _run_alembic(self, connection: Connection) -> None:
        from alembic import command

        config = self._config()
        config.attributes["connection"] = connection
        command.upgrade(config, self.revision)
        connection.execute(text(_TELL_USABLE.format(self.usable_since)))

    def _known(self) -> set[str]:
        from alembic.script import ScriptDirectory

        scripts = ScriptDirectory.from_config(self._config())
        return {script.revision for script in scripts.walk_revisions()}

    def _config(self) -> Config:
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.directory).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return config


@cache
def _sqlite_tables() -> tuple[str, ...]:
    """Return what makes all tables, indexes and triggers of an SQLite database."""
    dialect = SQLiteDialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return (*statements, *(trigger.strip() for trigger in SQLITE_TRIGGERS))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StorageError("The schema could not be created or upgraded; nothing was changed.") from error


@contextmanager
def _unchanged() -> Iterator[None]:
    """Say of a backup that failed that nothing has been upgraded, and what would be right."""
    try:
        yield
    except StorageError as error:
        raise StorageError(
            f"{error} Nothing was upgraded: make room for it, or make a backup elsewhere with "
            "`carrel backup FILE` and go on with `carrel upgrade-db --no-backup`."
        ) from error


def _revision_of(connection: Connection) -> str:
    if "alembic_version" not in inspect(connection).get_table_names():
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
