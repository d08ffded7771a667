"""Copying a database that may be in use, and putting a copy back while no hub is at work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from carrel.lib.clock import Clock
from carrel.storage.backups import Backups, Occasion, read_backup, restore_rows, restore_sqlite
from carrel.storage.base import StorageError
from carrel.storage.migrate import ADVISORY_LOCK, Schema
from carrel.storage.sql.claim import Claim
from carrel.storage.sql.store import backup_base, postgresql_url
from carrel.storage.sql.tables import OWN_TABLES

_REVISION = "SELECT version_num FROM alembic_version"


def is_there(url: str, directory: Path) -> bool:
    """Tell whether there is a database that could be copied; raises StorageError when nobody can say."""
    server = postgresql_url(url)
    if server is None:
        return backup_base(url, directory).is_file()
    with _transaction(server) as connection:
        return "alembic_version" in inspect(connection).get_table_names()


def back_up(
    url: str, directory: Path, clock: Clock, target: Path | None = None, *, occasion: Occasion = "backup"
) -> Path:
    """Return a new copy of the database that `url` names, called `target` or by its time and revision.

    Hubs may go on using it meanwhile. Raises StorageError for a database that is none of ours.
    """
    backups = Backups(backup_base(url, directory), clock)
    server = postgresql_url(url)
    if server is None:
        with closing(_open_file(backups.base)) as connection:
            revision = _file_revision(connection, backups.base)
            made = backups.copy_sqlite(connection, occasion, revision, target)
    else:
        with _transaction(server) as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            made = backups.copy_postgresql(connection, occasion, _server_revision(connection), target)
    backups.forget_old(occasion)
    return made


def roll_back(url: str, directory: Path, clock: Clock, copy: Path) -> tuple[Path, str]:
    """Make the database what `copy` holds; return where what it was is kept now, and the copy's revision.

    Raises StorageError while a hub uses the database, and for a copy that cannot be put back; then nothing
    has changed.
    """
    revision = read_backup(copy)
    backups = Backups(backup_base(url, directory), clock)
    server = postgresql_url(url)
    aside = (
        _roll_back_file(backups, copy) if server is None else _roll_back_server(server, backups, copy, clock)
    )
    # Only now: the copy may be one of the old ones.
    backups.forget_old("before-rollback")
    return aside, revision


def _roll_back_server(server: str, backups: Backups, copy: Path, clock: Clock) -> Path:
    revision = read_backup(copy)
    schema = Schema(revision=revision)
    if not schema.knows(revision):
        raise StorageError(f"{copy} is of a newer release (schema {revision}): put it back with that one.")
    with _transaction(server) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        _refuse_living_hubs(connection, clock)
        aside = backups.copy_postgresql(connection, "before-rollback", _server_revision(connection))
        present = MetaData()
        present.reflect(connection, only=lambda name, _: name in OWN_TABLES)
        present.drop_all(connection)
        schema.make_tables(connection)
        restore_rows(copy, connection)
    return aside


def _roll_back_file(backups: Backups, copy: Path) -> Path:
    claim = Claim(Path(f"{backups.base}.lock"))
    claim.take()
    try:
        with closing(_open_file(backups.base)) as connection:
            found = _file_revision(connection, backups.base)
            aside = backups.copy_sqlite(connection, "before-rollback", found)
            restore_sqlite(copy, connection)
        return aside
    finally:
        claim.release()


def _open_file(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StorageError(f"There is no database {path}.")
    return sqlite3.connect(path, timeout=10, isolation_level=None)


def _file_revision(connection: sqlite3.Connection, path: Path) -> str:
    try:
        rows = connection.execute(_REVISION).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{path} is no Carrel database: {error}.") from error
    return str(rows[0][0]) if rows else "none"


def _server_revision(connection: Connection) -> str:
    if not {"alembic_version", "facts"} <= set(inspect(connection).get_table_names()):
        raise StorageError("This is no Carrel database.")
    return str(connection.execute(text(_REVISION)).scalar() or "none")


def _refuse_living_hubs(connection: Connection, clock: Clock) -> None:
    if "hubs" not in inspect(connection).get_table_names():
        return
    query = text("SELECT owner FROM hubs WHERE expires > :now")
    owners = connection.execute(query, {"now": clock.now()}).scalars().all()
    if owners:
        raise StorageError(f"Hubs use this database ({', '.join(owners)}): stop them first.")


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    try:
        with create_engine(url, poolclass=NullPool).begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        raise StorageError(f"PostgreSQL refused, and nothing was changed: {cause}") from error
