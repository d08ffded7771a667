"""PostgreSQL through psycopg's own asynchronous connections, a few of them.

The server may be restarted or replaced: a connection found dead is replaced, a transaction that is about to
begin waits a few seconds for a server that comes back, and one that was cut off says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, LiteralString

from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg, PGDialect_psycopg
from sqlalchemy.sql.base import Executable

from carrel.domain.errors import Conflict
from carrel.domain.events import Event
from carrel.lib.clock import Clock
from carrel.lib.ids import new_token
from carrel.storage.backups import Backups
from carrel.storage.base import Ears, StorageContended, StorageError, StorageUnavailable
from carrel.storage.migrate import ASK_USABLE, Schema
from carrel.storage.sql.engine import Row, Statements, Values
from carrel.storage.sql.listen import Listener
from carrel.storage.sql.notify import CHANNEL, encode_events
from carrel.storage.sql.outage import Outage

if TYPE_CHECKING:
    import psycopg

_CONNECTIONS = 8
#: What a connection is opened with, unless the URL says otherwise. A peer that is gone without a word is
#: found out in some ten seconds, and of several hosts in the URL the one that takes writes is chosen.
_PARAMETERS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "8000",
    "target_session_attrs": "read-write",
}
#: A hub that is paused in the middle of a transaction must not hold its rows' locks, and nobody waits for a
#: lock for ever.
_SESSION = (
    "SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '5s'; SET statement_timeout = '30s'"
)
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
#: Serialisation failure, deadlock, lock not available: the transaction is undone for certain.
_CONTENDED = ("40001", "40P01", "55P03")
#: No connection or too many; a server that stops, starts, is a standby or has had enough of us.
_GONE = ("08", "53", "57", "25006", "25P03")
_NOTIFY = "SELECT pg_notify(%(channel)s, %(payload)s)"


class _Compiler(PGCompiler_psycopg):
    """Writes `ON CONFLICT` of statements in SQLite's words: thus this dialect is loaded here alone."""

    def _on_conflict_target(self, clause: Any, **kw: Any) -> str:
        # What SQLite has no word for, and PostgreSQL's construct says by this.
        clause.constraint_target = None
        return str(super()._on_conflict_target(clause, **kw))  # type: ignore[no-untyped-call]


class _Dialect(PGDialect_psycopg):
    statement_compiler = _Compiler


class PostgresEngine:
    """A database on a server.

    Every commit is as durable as the server is configured to make it; waiting for it blocks nobody else.
    """

    def __init__(
        self,
        url: URL,
        schema: Schema,
        clock: Clock,
        jitter: Callable[[], float],
        backups: Backups | None = None,
    ) -> None:
        self._url = url
        self._backups = backups
        self._clock = clock
        self._jitter = jitter
        self._outage = Outage(clock, jitter)
        self._schema = schema
        self._statements = Statements(_Dialect(paramstyle="pyformat"))  # type: ignore[no-untyped-call]
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[psycopg.AsyncConnection[Row]] = []
        #: Marks the events that this hub sends.
        self.origin = new_token()
        self._opened = False

    def limit(self, connections: int) -> None:
        """Have at most so many connections at once; for before it is opened."""
        self._places = asyncio.Semaphore(connections)

    async def open(self, *, claim: bool) -> None:
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise StorageError(
                "PostgreSQL needs the driver psycopg: install it with `pip install 'carrel[postgres]'`."
            ) from error
        connection = await self._connect()
        try:
            found = await _examine(connection, self._schema, claim)
        finally:
            await connection.close()
        if found != self._schema.revision:
            await self._upgrade()
        self._opened = True

    async def close(self) -> None:
        self._opened = False
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PostgresLink]:
        async with self._transaction(_READ) as link:
            yield link

    @asynccontextmanager
    async def write(self, *, durable: bool) -> AsyncIterator[PostgresLink]:
        async with self._transaction(_WRITE) as link:
            yield link

    async def checkpoint(self) -> None:
        """Do nothing: the server tends its own log."""

    async def listen(self, ears: Ears) -> None:
        await Listener(self._connect, self.origin, self._clock, self._jitter, ears).run()

    async def tell(self, events: Sequence[Event]) -> None:
        async with self.write(durable=False) as link:
            link.events.extend(events)

    @property
    def statements(self) -> Statements:
        """The SQL of this database."""
        return self._statements

    @asynccontextmanager
    async def _transaction(self, begin: LiteralString) -> AsyncIterator[PostgresLink]:
        async with self._places:
            connection = await self._begin(begin)
            try:
                link = PostgresLink(connection, self._statements, self.origin)
                yield link
                await link.finish()
            finally:
                await self._put_back(connection)

    async def _begin(self, begin: LiteralString) -> psycopg.AsyncConnection[Row]:
        import psycopg

        if not self._opened:
            raise StorageError("The database is not open.")
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.execute(begin)
            except psycopg.Error:
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        connection = await self._outage.sit_out(self._connect)
        try:
            await connection.execute(begin)
        except BaseException as error:
            await connection.close()
            if isinstance(error, psycopg.Error):
                raise _explain(error) from error
            raise
        return connection

    async def _put_back(self, connection: psycopg.AsyncConnection[Row]) -> None:
        import psycopg
        from psycopg.pq import TransactionStatus

        try:
            if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await connection.execute("ROLLBACK")
        except psycopg.Error:
            pass
        finally:
            # Whatever is not plainly at rest, say after a second cancellation, is not worth saving.
            if self._opened and connection.info.transaction_status is TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Row]:
        import psycopg

        url = self._url.set(drivername="postgresql")
        url = url.update_query_dict({**_PARAMETERS, **url.query})
        try:
            connection = await psycopg.AsyncConnection.connect(
                url.render_as_string(hide_password=False), autocommit=True
            )
        except psycopg.Error as error:
            where = f"{self._url.host or 'localhost'}:{self._url.port or 5432}/{self._url.database or ''}"
            raise StorageUnavailable(
                f"PostgreSQL at {where} does not let us in: {_first_line(error)}"
            ) from error
        try:
            await connection.execute(_SESSION)
        except BaseException as error:
            await connection.close()
            if isinstance(error, psycopg.Error):
                raise _explain(error) from error
            raise
        return connection

    async def _upgrade(self) -> None:
        url = self._url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        await asyncio.to_thread(self._schema.upgrade_postgresql, url, self._backups)


class PostgresLink:
    """A connection inside a transaction."""

    def __init__(self, connection: psycopg.AsyncConnection[Row], statements: Statements, origin: str) -> None:
        self._connection = connection
        self._text = statements.text
        self.built = statements.built
        self.events: list[Event] = []
        self._origin = origin

    async def rows(self, statement: Executable, values: Values) -> list[Row]:
        cursor = await self._run(self._text(statement), values)
        return await cursor.fetchall()

    async def change(self, statement: Executable, values: Values) -> int:
        return (await self._run(self._text(statement), values)).rowcount

    async def change_many(self, statement: Executable, values: Sequence[Values]) -> None:
        import psycopg

        try:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(self._text(statement), values)
        except psycopg.Error as error:
            raise _explain(error) from error

    async def finish(self) -> None:
        """Commit and tell the other hubs; raise StorageError when the server rolled back instead."""
        for payload in encode_events(self._origin, self.events):
            await self._run(_NOTIFY, {"channel": CHANNEL, "payload": payload})
        cursor = await self._run("COMMIT", None)
        if cursor.statusmessage != "COMMIT":
            raise StorageError("The database undid the transaction: one of its statements had failed.")

    async def _run(self, text: str, values: Values | None) -> psycopg.AsyncCursor[Row]:
        import psycopg

        try:
            return await self._connection.execute(text, values)
        except psycopg.Error as error:
            raise _explain(error) from error


async def _examine(connection: psycopg.AsyncConnection[Row], schema: Schema, claim: bool) -> str:
    import psycopg

    async def ask(query: LiteralString) -> list[str]:
        return [value for (value,) in await (await connection.execute(query)).fetchall()]

    try:
        # One state of it all, while another hub may be creating the tables.
        await connection.execute(_READ)
        tables = await ask("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        revisions = (
            await ask("SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
        )
        since = await ask(ASK_USABLE) if "facts" in tables else []
        await connection.execute("COMMIT")
    except psycopg.Error as error:
        raise _explain(error) from error
    return schema.examine(revisions, lambda: tables, since[0] if since else None, claimed=claim)


def _explain(error: psycopg.Error) -> Exception:
    from psycopg import errors

    if isinstance(error, errors.UniqueViolation):
        return Conflict("It exists already.")
    if error.sqlstate is None:
        return StorageUnavailable("The connection to PostgreSQL was lost.")
    text = f"PostgreSQL refused: {type(error).__name__} ({error.sqlstate})."
    if error.sqlstate in _CONTENDED:
        return StorageContended(text)
    return StorageUnavailable(text) if error.sqlstate.startswith(_GONE) else StorageError(text)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
