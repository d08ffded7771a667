"""Reading a JupyterHub database without writing a byte to it: SQLite, PostgreSQL or MySQL, of any release.

with open_source("sqlite:///jupyterhub.sqlite", directory) as source:
    data = source.read()
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    LargeBinary,
    Table,
    Text,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy import table as plain_table
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from carrel.storage.base import StorageError
from carrel.storage.jupyterhub import tables
from carrel.storage.jupyterhub.records import ROWS, JupyterHubData, RoleRow, TokenRow

R = TypeVar("R")
#: The driver for each kind of database, and what installs it.
_DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mariadb": ("mysql+pymysql", "pymysql", "mysql"),
}
_SNAPSHOT = {
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
}
#: JupyterHub's, and what its own migrations leave behind.
_KNOWN = {*ROWS, "alembic_version", "oauth_codes", "sqlite_sequence"}
_KNOWN |= {"oauth_access_tokens", "api_token_role_map", "oauth_client_role_map", "oauth_code_role_map"}


class Source:
    """An open JupyterHub database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        inspector = inspect(connection)
        self._columns = {
            name: {column["name"] for column in inspector.get_columns(name)}
            for name in inspector.get_table_names()
        }
        self._present = set(self._columns)

    def revision(self) -> str:
        """Return the revision of the schema; raise StorageError for what no JupyterHub since 0.9 has made."""
        if not {"users", "spawners", "api_tokens"} <= self._present:
            raise StorageError("this is no JupyterHub database, or it is older than JupyterHub 0.9")
        found: list[str] = []
        if "alembic_version" in self._present:
            query = text("SELECT version_num FROM alembic_version")
            found = list(self._connection.execute(query).scalars())
        if len(found) != 1 or found[0] not in tables.RELEASES:
            known = ", ".join(tables.RELEASES)
            raise StorageError(
                f"its schema is {' and '.join(found) or 'not named'}, which is none of those that are known"
                f" ({known}): upgrade it with `jupyterhub upgrade-db` of a release up to 6.1 first"
            )
        return found[0]

    def read(self) -> JupyterHubData:
        """Return everything in the database; raise StorageError when it cannot be read."""
        try:
            data = JupyterHubData(
                revision=self.revision(),
                has_roles="roles" in self._present,
                leftovers=self._leftovers(),
                **{name: self._rows(getattr(tables, name), kind) for name, kind in ROWS.items()},
            )
            return self._with_old_tokens(data)
        except SQLAlchemyError as error:
            raise StorageError(f"it cannot be read: {short(error)}") from error

    def _rows(self, table: Table, kind: type[R]) -> list[R]:
        return [kind(**values) for values in self._values(table, {field.name for field in fields(kind)})]  # type: ignore[arg-type]

    def _values(self, table: Table, wanted: set[str]) -> list[dict[str, Any]]:
        """Return the rows of a table, if there is one, as far as it has the wanted columns; no NULLs."""
        names = [name for name in _names(table) if name in wanted & self._columns.get(table.name, set())]
        if not names:
            return []
        order = [table.c.id] if "id" in names else []
        rows = self._connection.execute(select(*(table.c[name] for name in names)).order_by(*order))
        columns = [table.c[name] for name in names]
        return [
            {
                column.name: _decode(column, value)
                for column, value in zip(columns, row, strict=True)
                if value is not None
            }
            for row in rows
        ]

    def _leftovers(self) -> Mapping[str, int]:
        counts = {
            name: self._connection.execute(select(func.count()).select_from(plain_table(name))).scalar_one()
            for name in sorted(self._present - _KNOWN)
        }
        return {name: count for name, count in counts.items() if count}

    def _with_old_tokens(self, data: JupyterHubData) -> JupyterHubData:
        """Return `data` with tokens as they are since JupyterHub 3, whatever the release."""
        if not data.has_roles:
            return replace(data, api_tokens=[*_unscoped(data.api_tokens), *self._browser_tokens(data)])
        if "scopes" in self._columns["api_tokens"]:
            return data
        roles = {role.id: role for role in data.roles}
        of_tokens = self._roles_of(tables.api_token_role_map, "api_token_id", roles)
        of_clients = self._roles_of(tables.oauth_client_role_map, "oauth_client_id", roles)
        return replace(
            data,
            api_tokens=[replace(row, scopes=of_tokens.get(row.id, [])) for row in data.api_tokens],
            oauth_clients=[
                replace(row, allowed_scopes=of_clients.get(row.id, [])) for row in data.oauth_clients
            ],
        )

    def _roles_of(self, table: Table, key: str, roles: Mapping[int, RoleRow]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for row in self._values(table, {key, "role_id"}):
            role = roles.get(row["role_id"])
            scopes = [] if role is None else list(role.scopes or ())
            found.setdefault(row[key], []).extend(scopes)
        return {owner: list(dict.fromkeys(scopes)) for owner, scopes in found.items()}

    def _browser_tokens(self, data: JupyterHubData) -> list[TokenRow]:
        """Return what servers of JupyterHub 1 got for browsers, with ids after those of the other tokens."""
        wanted = set(_names(tables.oauth_access_tokens))
        rows = self._values(tables.oauth_access_tokens, wanted)
        last = max((row.id for row in data.api_tokens), default=0)
        return [TokenRow(**(row | {"id": last + number})) for number, row in enumerate(rows, 1)]


@contextmanager
def open_source(url: str, directory: Path) -> Iterator[Source]:
    """Yield the database that `url` names, opened so that nothing can be written to it.

    A relative SQLite file is looked for in `directory`. Raises StorageError for one that cannot be opened.
    """
    parsed = parse(url)
    name = parsed.render_as_string(hide_password=True)
    with ExitStack() as stack:
        try:
            if parsed.get_backend_name() == "sqlite":
                parsed = stack.enter_context(_sqlite(parsed, directory))
            engine = create_engine(parsed, poolclass=NullPool)
            connection = stack.enter_context(engine.connect())
            begin = _SNAPSHOT.get(parsed.get_backend_name())
            if begin is not None:
                connection.exec_driver_sql(begin)
            source = Source(connection)
        except SQLAlchemyError as error:
            raise StorageError(f"{name} cannot be opened: {short(error)}") from error
        except StorageError as error:
            raise StorageError(f"{name}: {error}") from error
        try:
            yield source
        except StorageError as error:
            raise StorageError(f"{name}: {error}") from error


def sqlite_file(url: str, directory: Path) -> Path | None:
    """Return the file that a URL names, None for another kind of database; raise StorageError as above."""
    parsed = parse(url)
    return directory / str(parsed.database) if parsed.get_backend_name() == "sqlite" else None


def is_same(left: str, right: str, directory: Path) -> bool:
    """Tell whether two URLs name one database."""
    one, other = parse(left), parse(right)
    if one.get_backend_name() == "sqlite" == other.get_backend_name():
        return (directory / str(one.database)).resolve() == (directory / str(other.database)).resolve()
    names = [(url.get_backend_name(), url.host, url.port, url.database) for url in (one, other)]
    return names[0] == names[1]


def engine_url(url: URL) -> URL:
    """Return a URL with the driver that is used here; raise StorageError when it is not installed."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        return url.set(drivername="sqlite")
    if backend not in _DRIVERS:
        raise StorageError(f"{backend} is no database that JupyterHub's data are read from: {_KINDS}")
    driver, module, extra = _DRIVERS[backend]
    try:
        __import__(module)
    except ImportError:
        raise StorageError(
            f"{backend} needs the driver {module}: install it with `pip install 'carrel[{extra}]'`"
        ) from None
    return url.set(drivername=driver)


_KINDS = "write sqlite:///FILE, postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME"


def parse(url: str) -> URL:
    """Return a URL, or a file's name, as one to open; raise StorageError when it cannot be read."""
    try:
        return engine_url(make_url(url if "://" in url else f"sqlite:///{url}"))
    except (ArgumentError, NoSuchModuleError) as error:
        # SQLAlchemy's own message would repeat the URL, which may hold a password.
        raise StorageError(f"the database URL cannot be read: {_KINDS}") from error


@contextmanager
def _sqlite(url: URL, directory: Path) -> Iterator[URL]:
    """Yield the URL of the file itself, or of a copy when reading would write to it."""
    path = directory / str(url.database)
    if not path.is_file():
        raise StorageError(f"there is no file {path}")
    if not os.access(path, os.R_OK):
        raise StorageError(f"{path} cannot be read: the hub's user must be allowed to")
    unfinished = [side for side in _beside(path) if side.exists() and side.stat().st_size]
    if not unfinished and not _keeps_log(path):
        yield _read_only(path)
        return
    with tempfile.TemporaryDirectory(prefix="carrel-import-") as name:
        for part in (path, *unfinished):
            shutil.copy2(part, Path(name) / part.name)
        yield URL.create("sqlite", database=str(Path(name) / path.name))


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _beside(path: Path) -> list[Path]:
    return [Path(f"{path}-{suffix}") for suffix in ("wal", "journal")]


def _keeps_log(path: Path) -> bool:
    """Tell whether a database keeps a write-ahead log: even who only reads it makes files beside it."""
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\x02\x02"


def _read_only(path: Path) -> URL:
    return URL.create("sqlite", database=path.resolve().as_uri(), query={"mode": "ro", "uri": "true"})


def _unscoped(rows: Any) -> list[TokenRow]:
    """Return tokens of JupyterHub 1, which may all do what their owner may."""
    return [replace(row, scopes=["inherit"]) for row in rows]


def _decode(column: Column[Any], value: Any) -> Any:
    kind = column.type
    if isinstance(kind, DateTime):
        return _moment(value)
    if isinstance(kind, LargeBinary):
        return value if isinstance(value, str) else bytes(value).decode("ascii", "replace")
    if isinstance(kind, Text):
        return msgspec.json.decode(value)
    return value


def _moment(value: datetime) -> float:
    return value.replace(tzinfo=UTC).timestamp() if value.tzinfo is None else value.timestamp()


def short(error: SQLAlchemyError) -> str:
    """Return what the database itself said, without the statement and the link that SQLAlchemy adds."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]
