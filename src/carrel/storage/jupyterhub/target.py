"""Writing a new database that JupyterHub 6.1 starts on, all of it or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    LargeBinary,
    Table,
    Text,
    create_engine,
    inspect,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from carrel.storage.base import StorageError
from carrel.storage.jupyterhub import tables
from carrel.storage.jupyterhub.records import ROWS, JupyterHubData
from carrel.storage.jupyterhub.source import parse, short

_VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
_STAMP = "INSERT INTO alembic_version (version_num) VALUES (:revision)"


def write_database(url: str, directory: Path, data: JupyterHubData) -> None:
    """Make the database that `url` names and fill it; a relative SQLite file is put into `directory`.

    Raises StorageError for one that exists already (SQLite) or is not empty (others), and for one that cannot
    be written.
    """
    parsed = parse(url)
    name = parsed.render_as_string(hide_password=True)
    try:
        if parsed.get_backend_name() == "sqlite":
            with _new_file(directory / str(parsed.database)) as draft:
                _fill(URL.create("sqlite", database=str(draft)), data)
        else:
            _fill(parsed, data)
    except SQLAlchemyError as error:
        raise StorageError(f"{name} cannot be written: {short(error)}") from error
    except OSError as error:
        raise StorageError(f"{name} cannot be written: {error.strerror}") from error
    except StorageError as error:
        raise StorageError(f"{name}: {error}") from error


def _fill(url: URL, data: JupyterHubData) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        present = inspect(connection).get_table_names()
        if present:
            raise StorageError(f"it is not empty (it has the table {present[0]}): name a new one")
        tables.metadata.create_all(connection)
        for name in ROWS:
            _insert(connection, getattr(tables, name), getattr(data, name))
        connection.execute(text(_VERSION_TABLE))
        connection.execute(text(_STAMP), {"revision": tables.REVISION})


def _insert(connection: Connection, table: Table, rows: Sequence[Any]) -> None:
    if not rows:
        return
    names = [field.name for field in fields(rows[0])]
    values = [{name: _encode(table.c[name], getattr(row, name)) for name in names} for row in rows]
    connection.execute(table.insert(), values)
    if "id" in names and connection.dialect.name == "postgresql":
        query = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"  # noqa: S608
        connection.execute(text(query))


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Yield a file that takes the name `path` when the block ends well, for its owner alone to read."""
    if path.exists():
        raise StorageError("the file exists already: name a new one, or remove it")
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
        draft.rename(path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _encode(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, DateTime):
        return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
    if isinstance(column.type, LargeBinary):
        return str(value).encode("ascii")
    if isinstance(column.type, Text):
        return json.dumps(value)
    return value
