"""What the hub asks of its database: plain records in and out, one unit of work per use case.

    async with store.write(durable=True) as tx:
        user = await tx.users.create("ada", admin=False, now=clock.now())

A `read` transaction sees one consistent state. A `write` transaction commits when its block ends
without an exception and leaves nothing behind otherwise; writers on SQLite go one after the other,
so a block must not wait for anything but its own transaction. `durable` asks that the commit survive
a power cut: for rights granted or revoked and for intents to start.

Every call may raise StorageError. A block in which one was raised must end: PostgreSQL answers no more
questions in it. After the Conflicts that are named below it may go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from carrel.domain.events import Event
from carrel.storage.bulk import Bulk
from carrel.storage.devices import DeviceRecords
from carrel.storage.facts import Facts
from carrel.storage.groups import Groups
from carrel.storage.hubs import Hubs
from carrel.storage.imported_logins import ImportedLogins
from carrel.storage.oauth import OAuth
from carrel.storage.roles import Roles
from carrel.storage.servers import Servers
from carrel.storage.services import Services
from carrel.storage.sessions import Sessions
from carrel.storage.shares import ShareCodes, Shares
from carrel.storage.signing_keys import SigningKeys
from carrel.storage.tokens import Tokens
from carrel.storage.users import Users


class StorageError(Exception):
    """The database cannot be used; the text says why and what would be right."""


class StorageUnavailable(StorageError):
    """The database does not answer now; the same again may succeed later.

    When this was raised by the end of a write block, nobody knows whether it was committed.
    """


class StorageContended(StorageUnavailable):
    """The transaction was undone in favour of another one; the same again may succeed at once."""


class SchemaMismatch(StorageError):
    """The database was written by another release, or by another program."""


class Transaction(Protocol):
    """A unit of work: one repository per noun."""

    @property
    def users(self) -> Users: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def roles(self) -> Roles: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def imported_logins(self) -> ImportedLogins: ...
    @property
    def servers(self) -> Servers: ...
    @property
    def devices(self) -> DeviceRecords: ...
    @property
    def services(self) -> Services: ...
    @property
    def oauth(self) -> OAuth: ...
    @property
    def signing_keys(self) -> SigningKeys: ...
    @property
    def shares(self) -> Shares: ...
    @property
    def share_codes(self) -> ShareCodes: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def hubs(self) -> Hubs: ...
    @property
    def bulk(self) -> Bulk: ...

    def announce(self, event: Event) -> None:
        """Publish `event` once this is committed, on this hub and on every other of the database.

        Nothing is published of a transaction that is undone. An event may be published twice, or without
        need when the commit's outcome stayed unknown: it says no more than where to look.
        """


class Ears(Protocol):
    """Who wants to know what the other hubs of a database say; nothing here may wait or raise."""

    def listening(self) -> None:
        """Everything that is said from now on arrives, until `lost`; what was said before may be missed."""

    def deliver(self, event: Event) -> None:
        """Another hub said this."""

    def proved(self, moment: float) -> None:
        """All that was committed before this moment of the monotonic clock has been delivered."""

    def lost(self) -> None:
        """What is said from now on is missed."""


class Store(Protocol):
    """A database."""

    async def open(self, *, claim: bool = True) -> None:
        """Connect, create or upgrade the schema where that is safe, and claim the hub's place.

        A tool that works beside the hub does not `claim`, and never upgrades what a hub may be using.
        Raises SchemaMismatch for a database of another program or a newer release, StorageError for
        one that cannot be used (unreachable, unwritable, or a SQLite file that another hub holds).
        """

    async def close(self) -> None:
        """Release everything; may be repeated."""

    @property
    def single_hub(self) -> bool:
        """Whether only one hub may use it, so that every lease of an earlier process is void."""

    async def listen(self, ears: Ears) -> None:
        """Hand on what other hubs announce and tell, until cancelled; connections that break are replaced.

        Returns at once where there can be no other hub.
        """

    async def tell(self, events: Sequence[Event]) -> None:
        """Tell the other hubs of events that belong to no transaction; too long ones stay here.

        Nothing is published on this hub. Raises StorageError when they could not be told.
        """

    def read(self) -> AbstractAsyncContextManager[Transaction]: ...
    def write(self, *, durable: bool = False) -> AbstractAsyncContextManager[Transaction]: ...
    async def checkpoint(self) -> None:
        """Move what was written to its final place, off the request path.

        For a background task, every few seconds and as often as one likes; never waits for a transaction.
        """
