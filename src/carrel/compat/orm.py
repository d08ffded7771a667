"""What plug-ins know as `jupyterhub.orm`: a base for tables of their own, and users to look at.

The hub's tables can be read. Whoever tries to write them is refused: the hub would not know of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event, make_url
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.schema import DDLElement
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import TextClause

from carrel.storage.sql.tables import metadata as hub_metadata
from carrel.storage.sql.tables import users

#: How long a write may wait for another one, in seconds; the hub waits as well when it is not in a thread.
_PATIENCE = 5.0
_FENCED = frozenset(hub_metadata.tables) | {"alembic_version"}
_WRITES = re.compile(
    r"\s*(?:INSERT\s+INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM|DROP\s+TABLE|ALTER\s+TABLE|TRUNCATE(?:\s+TABLE)?)"
    r"\s+(?:IF\s+EXISTS\s+|ONLY\s+|OR\s+\w+\s+)*(?:\w+\.)?[\"`\[]?(\w+)",
    re.IGNORECASE,
)


class NoDatabase(Exception):
    """There is no database that plug-ins could use; the text says what would be right."""


class HubTable(Exception):
    """A plug-in wants to write a table of the hub's."""


class Base(DeclarativeBase):
    """The base of plug-ins' own tables, which they create themselves."""

    __allow_unmapped__ = True
    metadata = MetaData()


class User(Base):
    """A user of the hub, to look at."""

    __table__ = users.to_metadata(Base.metadata)
    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's
        "include_properties": ["id", "name", "admin", "created_at", "last_activity_at"],
        "properties": {
            "created_at": __table__.c.created,
            "last_activity_at": __table__.c.last_activity,
        },
    }

    id: int
    name: str
    admin: bool
    created_at: float
    last_activity_at: float

    @property
    def created(self) -> datetime:
        """When the user was made, in UTC without saying so."""
        return _moment(self.created_at)

    @property
    def last_activity(self) -> datetime | None:
        """When the user was last active, in UTC without saying so."""
        return _moment(self.last_activity_at) if self.last_activity_at else None

    @classmethod
    def find(cls, db: Any, name: str) -> User | None:
        """Return the user of that name, or None."""
        found: User | None = db.query(cls).filter_by(name=name).first()
        return found

    def __repr__(self) -> str:
        return f"<User {self.name}>"


class PluginSession(Session):
    """A session that knows whether it has written."""

    wrote = False

    def settle(self) -> None:
        """End the transaction unless there is something in it to be written down."""
        if not self.is_active or not (self.wrote or self.new or self.dirty or self.deleted):
            self.rollback()


def open_sessions(
    url: str, directory: Path, begun: Callable[[PluginSession], None]
) -> sessionmaker[PluginSession]:
    """Return what makes sessions in the hub's database; `begun` is told of each transaction.

    Raises NoDatabase for a database in memory, which nobody else can open.
    """
    sessions = sessionmaker(_engine(url, directory), class_=PluginSession)

    @event.listens_for(sessions, "after_begin")
    def _after_begin(session: PluginSession, transaction: Any, connection: Any) -> None:
        begun(session)

    @event.listens_for(sessions, "after_flush")
    def _after_flush(session: PluginSession, context: Any) -> None:
        session.wrote = True

    @event.listens_for(sessions, "do_orm_execute")
    def _do_orm_execute(state: Any) -> None:
        if not state.is_select:
            state.session.wrote = True

    @event.listens_for(sessions, "after_transaction_end")
    def _after_transaction_end(session: PluginSession, transaction: Any) -> None:
        if transaction.parent is None:
            session.wrote = False

    return sessions


def _engine(text: str, directory: Path) -> Engine:
    url = make_url(text)
    if not url.drivername.startswith("sqlite"):
        engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_size=2, pool_pre_ping=True)
    elif url.database in (None, "", ":memory:"):
        raise NoDatabase(
            "A plug-in keeps tables in the hub's database, which is in memory: set db_url to a file"
        )
    else:
        engine = create_engine(
            f"sqlite:///{directory / str(url.database)}", connect_args={"timeout": _PATIENCE}
        )
        event.listen(engine, "connect", _use_foreign_keys)
    event.listen(engine, "before_execute", _fence)
    return engine


def _use_foreign_keys(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def _fence(connection: Any, statement: Any, multiple: Any, params: Any, options: Any) -> None:
    """Raise HubTable for a statement that writes a table of the hub's."""
    name = ""
    if isinstance(statement, UpdateBase):
        name = getattr(statement.table, "name", "")
    elif isinstance(statement, DDLElement):
        name = getattr(getattr(statement, "element", None), "name", "")
    elif isinstance(statement, TextClause) and (found := _WRITES.match(statement.text)):
        name = found[1].lower()
    if name in _FENCED:
        raise HubTable(
            f"The table {name} is the hub's own: plug-ins may read it, and write tables of their own"
        )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
