"""The store on SQLite or PostgreSQL."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from carrel.domain.events import Event
from carrel.lib.clock import Clock
from carrel.storage.backups import Backups
from carrel.storage.base import Ears, StorageError
from carrel.storage.migrate import Schema
from carrel.storage.sql.bulk import SqlBulk
from carrel.storage.sql.devices import SqlDevices
from carrel.storage.sql.engine import Engine, Link
from carrel.storage.sql.facts import SqlFacts
from carrel.storage.sql.groups import SqlGroups
from carrel.storage.sql.hubs import SqlHubs
from carrel.storage.sql.imported_logins import SqlImportedLogins
from carrel.storage.sql.oauth import SqlOAuth
from carrel.storage.sql.roles import SqlRoles
from carrel.storage.sql.servers import SqlServers
from carrel.storage.sql.services import SqlServices
from carrel.storage.sql.sessions import SqlSessions
from carrel.storage.sql.share_codes import SqlShareCodes
from carrel.storage.sql.shares import SqlShares
from carrel.storage.sql.signing_keys import SqlSigningKeys
from carrel.storage.sql.sqlite import SqliteEngine
from carrel.storage.sql.tokens import SqlTokens
from carrel.storage.sql.users import SqlUsers

_log = logging.getLogger("carrel.storage.statements")
_POSTGRESQL = ("postgresql", "postgresql+psycopg", "postgresql+psycopg2")


class SqlTransaction:
    """A unit of work."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def announce(self, event: Event) -> None:
        """See `Transaction.announce`."""
        self._link.events.append(event)

    @property
    def events(self) -> list[Event]:
        """What was announced."""
        return self._link.events

    @property
    def users(self) -> SqlUsers:
        return SqlUsers(self._link)

    @property
    def groups(self) -> SqlGroups:
        return SqlGroups(self._link)

    @property
    def roles(self) -> SqlRoles:
        return SqlRoles(self._link)

    @property
    def tokens(self) -> SqlTokens:
        return SqlTokens(self._link)

    @property
    def sessions(self) -> SqlSessions:
        return SqlSessions(self._link)

    @property
    def imported_logins(self) -> SqlImportedLogins:
        return SqlImportedLogins(self._link)

    @property
    def servers(self) -> SqlServers:
        return SqlServers(self._link)

    @property
    def devices(self) -> SqlDevices:
        return SqlDevices(self._link)

    @property
    def services(self) -> SqlServices:
        return SqlServices(self._link)

    @property
    def oauth(self) -> SqlOAuth:
        return SqlOAuth(self._link)

    @property
    def shares(self) -> SqlShares:
        return SqlShares(self._link)

    @property
    def share_codes(self) -> SqlShareCodes:
        return SqlShareCodes(self._link)

    @property
    def signing_keys(self) -> SqlSigningKeys:
        return SqlSigningKeys(self._link)

    @property
    def facts(self) -> SqlFacts:
        return SqlFacts(self._link)

    @property
    def hubs(self) -> SqlHubs:
        return SqlHubs(self._link)

    @property
    def bulk(self) -> SqlBulk:
        return SqlBulk(self._link)


class _Unit(AbstractAsyncContextManager[SqlTransaction]):
    """A link's block as one of repositories; a class, since one more generator costs a tenth of a read."""

    __slots__ = ("_block", "_publish", "_tx")

    def __init__(self, block: AbstractAsyncContextManager[Link], publish: Callable[[Event], None]) -> None:
        self._block = block
        self._publish = publish

    async def __aenter__(self) -> SqlTransaction:
        self._tx = SqlTransaction(await self._block.__aenter__())
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            return await self._block.__aexit__(kind, error, trace)
        try:
            return await self._block.__aexit__(None, None, None)
        finally:
            # Also when the commit's acknowledgement was lost: it may have happened, and to look once too
            # often is harmless.
            for event in self._tx.events:
                self._publish(event)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a deployer may change about how a database is used."""

    connections: int = 8
    """How many to a server at once."""
    log_statements: bool = False
    back_up: bool = True
    """Whether a copy is made before an upgrade."""


_USUAL = Tuning()


class SqlStore:
    """The database that `url` names; a relative SQLite file is looked for in `directory`.

    `jitter` returns numbers from 0 to 1 that spread retries. `publish` is called with every event that a
    transaction announced, once it is committed.
    """

    def __init__(
        self,
        url: str,
        *,
        directory: Path,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        schema: Schema | None = None,
        publish: Callable[[Event], None] = lambda event: None,
        tuning: Tuning = _USUAL,
    ) -> None:
        self._url = url
        self._directory = directory
        self._clock = clock
        self._jitter = jitter
        self._publish = publish
        self._schema = schema or Schema()
        self._backups = Backups(backup_base(url, directory), clock) if tuning.back_up else None
        self._engine: Engine | None = None
        self._tuning = tuning

    async def open(self, *, claim: bool = True) -> None:
        """See `Store.open`."""
        url = _parse(self._url)
        engine = self._choose(url)
        try:
            await engine.open(claim=claim)
        except StorageError as error:
            name = url.render_as_string(hide_password=True)
            raise type(error)(f"{name}: {error}") from error
        if self._tuning.log_statements:
            _log.setLevel(logging.DEBUG)
            engine.statements.tell(lambda text: _log.debug("%s", " ".join(text.split())))
        self._engine = engine

    async def clear(self) -> None:
        """Delete all rows but those that say which installation this is, and which hubs are at work."""
        async with self.write(durable=True) as tx:
            await tx.bulk.clear()

    async def close(self) -> None:
        """Release everything; may be repeated."""
        if self._engine is not None:
            await self._engine.close()
            self._engine = None

    @property
    def single_hub(self) -> bool:
        """Whether only one hub may use it: true of SQLite."""
        return _parse(self._url).drivername.startswith("sqlite")

    def read(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """See `Store`."""
        return _Unit(self._opened().read(), self._publish)

    def write(self, *, durable: bool = False) -> AbstractAsyncContextManager[SqlTransaction]:
        """See `Store`."""
        return _Unit(self._opened().write(durable=durable), self._publish)

    async def checkpoint(self) -> None:
        """See `Store.checkpoint`."""
        await self._opened().checkpoint()

    async def listen(self, ears: Ears) -> None:
        """See `Store.listen`."""
        await self._opened().listen(ears)

    async def tell(self, events: Sequence[Event]) -> None:
        """See `Store.tell`."""
        await self._opened().tell(events)

    def _opened(self) -> Engine:
        if self._engine is None:
            raise StorageError("The database is not open.")
        return self._engine

    def _choose(self, url: URL) -> Engine:
        if url.drivername in ("sqlite", "sqlite+pysqlite"):
            named = url.database not in (None, "", ":memory:")
            path = self._directory / str(url.database) if named else None
            return SqliteEngine(path, self._schema, self._clock, self._jitter, self._backups)
        from carrel.storage.sql.postgres import PostgresEngine

        engine = PostgresEngine(url, self._schema, self._clock, self._jitter, self._backups)
        engine.limit(self._tuning.connections)
        return engine


def backup_base(url: str, directory: Path) -> Path:
    """Return what the names of a database's backups begin with: the file's, or a server's in `directory`."""
    parsed = _parse(url)
    name = str(parsed.database or "memory")
    return directory / (name if parsed.drivername.startswith("sqlite") else f"carrel-{Path(name).name}")


def postgresql_url(url: str) -> str | None:
    """Return the URL of a database on a server as SQLAlchemy opens it, None for a file."""
    parsed = _parse(url)
    if parsed.drivername.startswith("sqlite"):
        return None
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        # SQLAlchemy's own message would repeat the URL, which may hold a password.
        raise StorageError(
            "The database URL cannot be read: write sqlite:///FILE or postgresql://…"
        ) from error
    if url.drivername not in ("sqlite", "sqlite+pysqlite", *_POSTGRESQL):
        raise StorageError(
            f"The database {url.drivername} is not supported: use sqlite:///FILE or postgresql://USER@HOST/NAME."
        )
    return url
