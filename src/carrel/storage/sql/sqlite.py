"""SQLite on the event loop itself: one writer, as many readers as ask, nobody waits inside SQLite."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.base import Executable

from carrel.domain.errors import Conflict
from carrel.domain.events import Event
from carrel.lib.clock import Clock
from carrel.storage.backups import Backups
from carrel.storage.base import Ears, StorageError, StorageUnavailable
from carrel.storage.migrate import ASK_USABLE, Schema
from carrel.storage.sql.claim import Claim
from carrel.storage.sql.engine import Row, Statements, Values

T = TypeVar("T")
_DIALECT = SQLiteDialect_pysqlite(paramstyle="named")

#: How long transactions may follow each other without a break, in seconds.
_IN_ONE_GO = 0.005
_PATIENCE = 5.0
"""Seconds that another process may hold the file before a transaction gives up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
_IDLE_READERS = 4
#: A net under `checkpoint()`, in pages of 4 KiB: a log that nobody tends still ends at 40 MiB.
_AUTOCHECKPOINT = 10_000
#: The first one with RETURNING.
_OLDEST = (3, 35)
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_REVISIONS = "SELECT version_num FROM alembic_version"
_UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


class SqliteEngine:
    """A database file, or with no path one in memory, whose readers and writers share a connection."""

    def __init__(
        self,
        path: Path | None,
        schema: Schema,
        clock: Clock,
        jitter: Callable[[], float],
        backups: Backups | None = None,
    ) -> None:
        self._path = path
        self._backups = backups
        self._schema = schema
        self._clock = clock
        self._jitter = jitter
        self._statements = Statements(_DIALECT)
        self._turn = asyncio.Lock()
        self._claim = Claim(Path(f"{path}.lock")) if path else None
        self._writer: sqlite3.Connection | None = None
        self._durable = False
        self._breathed = 0.0
        self._readers: list[sqlite3.Connection] = []

    async def open(self, *, claim: bool) -> None:
        try:
            await self._open(claim)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        async with self._turn:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        if self._claim is not None:
            self._claim.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqliteLink]:
        if self._path is None:
            async with self.write(durable=False) as link:
                yield link
            return
        if self._writer is None:
            raise _closed()
        connection = self._readers.pop() if self._readers else await self._patiently(self._connect_reader)
        try:
            connection.execute("BEGIN")
            yield SqliteLink(connection, self)
        finally:
            connection.rollback()
            if len(self._readers) < _IDLE_READERS and self._writer is not None:
                self._readers.append(connection)
            else:
                connection.close()

    @asynccontextmanager
    async def write(self, *, durable: bool) -> AsyncIterator[SqliteLink]:
        async with self._turn:
            await self._breathe()
            connection = self._writer
            if connection is None:
                raise _closed()
            if durable is not self._durable:
                # SQLite ignores this inside a transaction, and it costs less than a second connection.
                connection.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
                self._durable = durable
            try:
                await self.run(connection, "BEGIN IMMEDIATE")
                yield SqliteLink(connection, self)
                await self.run(connection, "COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()

    async def _breathe(self) -> None:
        """Let the rest of the hub go on between the transactions of many who write at the same moment."""
        if self._clock.monotonic() - self._breathed >= _IN_ONE_GO:
            await asyncio.sleep(0)
            self._breathed = self._clock.monotonic()

    async def checkpoint(self) -> None:
        if self._path is not None and self._writer is not None:
            await asyncio.to_thread(self._checkpoint)

    async def listen(self, ears: Ears) -> None:
        """Return at once: there is no other hub."""

    async def tell(self, events: Sequence[Event]) -> None:
        """Do nothing: there is no other hub."""

    def _checkpoint(self) -> None:
        with suppress(sqlite3.OperationalError), closing(self._connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    async def run(
        self, connection: sqlite3.Connection, text: str, values: Values | None = None
    ) -> sqlite3.Cursor:
        """Execute and retry while another process holds the lock: a failed attempt has changed nothing."""
        try:
            return connection.execute(text, values or {})
        except sqlite3.Error as error:
            if not _busy(error):
                raise _explain(error) from error
        return await self._patiently(lambda: connection.execute(text, values or {}))

    async def _patiently(self, attempt: Callable[[], T]) -> T:
        until = self._clock.monotonic() + _PATIENCE
        pause = _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except sqlite3.Error as error:
                if not _busy(error):
                    raise _explain(error) from error
                if self._clock.monotonic() >= until:
                    raise StorageUnavailable(
                        f"Another program has held the database for {_PATIENCE:.0f} seconds."
                    ) from error
            await self._clock.sleep(pause * (0.5 + self._jitter()))
            pause = min(pause * 2, _LONGEST_PAUSE)

    @property
    def statements(self) -> Statements:
        """The SQL of this database."""
        return self._statements

    async def _open(self, claim: bool) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StorageError(
                f"SQLite {sqlite3.sqlite_version} is too old: Carrel needs 3.35 (or a PostgreSQL database)."
            )
        if self._path is not None:
            _prepare_file(self._path)
        if claim and self._claim is not None:
            self._claim.take()
        connection = self._writer = await self._patiently(self._connect)
        # Before anything is written: a database of somebody else must stay as it is.
        found = await self._patiently(lambda: self._examine(connection, claim))
        await self._patiently(lambda: self._use_wal(connection))
        if not found:
            await self._patiently(lambda: self._schema.create_sqlite(connection))
        elif found != self._schema.revision:
            await self._patiently(lambda: self._schema.upgrade_sqlite(connection, found, self._backups))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path or ":memory:", timeout=0, isolation_level=None, cached_statements=256
        )
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_AUTOCHECKPOINT}")
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _examine(self, connection: sqlite3.Connection, claim: bool) -> str:
        tables = [name for (name,) in connection.execute(_TABLES)]
        revisions = connection.execute(_REVISIONS).fetchall() if "alembic_version" in tables else []
        since = connection.execute(ASK_USABLE).fetchone() if "facts" in tables else None
        return self._schema.examine(
            [revision for (revision,) in revisions],
            lambda: tables,
            since[0] if since else None,
            claimed=claim,
        )

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal" and self._path is not None:
            raise StorageError(
                f"SQLite cannot keep a write-ahead log for {self._path}: "
                "put the database on a local disk, or use PostgreSQL."
            )


class SqliteLink:
    """A connection inside a transaction."""

    def __init__(self, connection: sqlite3.Connection, engine: SqliteEngine) -> None:
        self._connection = connection
        self._engine = engine
        self._text = engine.statements.text
        self.built = engine.statements.built
        self.events: list[Event] = []

    async def rows(self, statement: Executable, values: Values) -> list[Row]:
        # All of them at once: a cursor read in half would hold its lock past the end of the transaction.
        cursor = await self._engine.run(self._connection, self._text(statement), values)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            raise _explain(error) from error

    async def change(self, statement: Executable, values: Values) -> int:
        cursor = await self._engine.run(self._connection, self._text(statement), values)
        return cursor.rowcount

    async def change_many(self, statement: Executable, values: Sequence[Values]) -> None:
        try:
            self._connection.executemany(self._text(statement), values)
        except sqlite3.Error as error:
            raise _explain(error) from error


def _prepare_file(path: Path) -> None:
    """Create the file readable for its owner alone: it holds the digests of everybody's tokens.

    One that exists is not opened: closing it again would drop the locks that this process has on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        if not path.is_file():
            raise StorageError(f"The database {path} is not a file.") from error
        if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)):
            raise StorageError(f"The database {path} and its directory must be writable.") from error
    except OSError as error:
        raise StorageError(f"The database {path} cannot be written: {error.strerror}.") from error


def _busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _explain(error: sqlite3.Error) -> Exception:
    if getattr(error, "sqlite_errorcode", 0) in _UNIQUE:
        return Conflict("It exists already.")
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
        return StorageError("The file is not an SQLite database.")
    return StorageError(f"The database refused: {getattr(error, 'sqlite_errorname', type(error).__name__)}.")


def _closed() -> StorageError:
    return StorageError("The database is not open.")
