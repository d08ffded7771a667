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

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from carrel.domain.events import Event
from carrel.domain.groups import Group
from carrel.domain.hubs import Hub
from carrel.domain.paging import Page, PageRequest
from carrel.domain.roles import Role
from carrel.domain.servers import Server
from carrel.domain.tokens import Session, Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.storage.oauth import OAuth, SigningKeys


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


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users a listing shows."""

    name_contains: str = ""
    """Case-insensitive part of the name."""
    state: Literal["active", "ready", "inactive"] | None = None
    names: tuple[str, ...] | None = None
    """Only these; None means all."""
    sort: Literal["id", "name", "last_activity"] = "id"
    descending: bool = False
    groups: tuple[str, ...] = ()
    """Beside `names`, the members of these groups."""


#: Whom roles are given to by name.
BearerKind = Literal["groups", "services"]


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a user has: by themselves, or only through a group or as everybody does."""

    role: Role
    direct: bool


class Users(Protocol):
    """People."""

    async def get(self, name: str) -> User | None: ...
    async def get_by_id(self, user_id: int) -> User | None: ...
    async def create(self, name: str, *, admin: bool, now: Timestamp) -> User:
        """Return the new user; raise Conflict when the name is taken."""

    async def set_admin(self, user_id: int, admin: bool) -> None:
        """Raise NotFound when the user is gone."""

    async def set_only_admins(self, user_ids: Iterable[int]) -> int:
        """Make these the admins and nobody else; return how many users that changed."""

    async def set_info(self, user_id: int, info: Mapping[str, Any]) -> None: ...
    async def named(self, names: Iterable[str]) -> Sequence[User]:
        """Return those of the names that exist, in the order of their ids."""

    async def rename(self, user_id: int, name: str) -> None:
        """Raise Conflict when the name is taken, NotFound when the user is gone."""

    async def delete(self, user_id: int) -> None:
        """Remove a user with their tokens, sessions, codes and servers' rows."""

    async def page(self, which: UserFilter, page: PageRequest) -> Page[User]: ...
    async def touch(self, moments: Mapping[int, Timestamp]) -> None:
        """Move `last_activity` of users (by id) forward, never back."""


class Groups(Protocol):
    """Groups and who is in them."""

    async def get(self, name: str) -> Group | None: ...
    async def create(self, name: str, properties: Mapping[str, Any] | None = None) -> Group:
        """Return the new, empty group; raise Conflict when the name is taken."""

    async def set_properties(self, group_id: int, properties: Mapping[str, Any]) -> None: ...
    async def delete(self, group_id: int) -> None:
        """Remove a group and its memberships; roles stay with its name."""

    async def add(self, group_id: int, user_ids: Iterable[int]) -> None:
        """Add users, who may be members already."""

    async def remove(self, group_id: int, user_ids: Iterable[int]) -> None: ...
    async def member_ids(self, group_id: int) -> frozenset[int]: ...
    async def page(self, names: Sequence[str] | None, page: PageRequest) -> Page[Group]:
        """Return groups in the order of their ids, only those of `names` when it is given."""

    async def of_user(self, user_id: int) -> tuple[str, ...]: ...
    async def of_users(self, user_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the names of the groups of each user who is in any."""

    async def of_names(self, user_names: Iterable[str]) -> Mapping[str, tuple[str, ...]]: ...


class Roles(Protocol):
    """Roles, and the users, groups and services that have them."""

    async def all(self) -> Sequence[Role]: ...
    async def named(self, names: Iterable[str]) -> Sequence[Role]: ...
    async def put(self, role: Role) -> int:
        """Add a role, or replace the one with its name; return its row's id."""

    async def delete(self, role_id: int) -> None:
        """Remove a role; nobody has it any more."""

    async def of_user(self, user_id: int) -> Sequence[HeldRole]:
        """Return a user's roles, those of their groups, and `user`, which everybody has."""

    async def of_users(self, user_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the names of the roles that each user has directly."""

    async def of_bearers(self, kind: BearerKind, names: Iterable[str]) -> Mapping[str, tuple[Role, ...]]: ...
    async def users(self, role_id: int) -> Mapping[int, bool]:
        """Return the ids of the users who have a role directly, and whether the authenticator said so."""

    async def bearers(self, role_id: int, kind: BearerKind) -> Mapping[str, bool]:
        """Return the groups or services that have a role, and whether the authenticator said so."""

    async def grant(self, role_id: int, user_ids: Iterable[int], *, managed: bool = False) -> None: ...
    async def revoke(self, role_id: int, user_ids: Iterable[int]) -> None: ...
    async def give(
        self, role_id: int, kind: BearerKind, names: Iterable[str], *, managed: bool = False
    ) -> None: ...
    async def take(self, role_id: int, kind: BearerKind, names: Iterable[str]) -> None: ...


class Tokens(Protocol):
    """API tokens."""

    async def add(self, token: Token) -> Token:
        """Store a token; its `id` is ignored and the stored record is returned."""

    async def find(self, prefix: str, hashed: str) -> Token | None: ...
    async def get(self, token_id: int) -> Token | None: ...
    async def of_user(self, user_id: int) -> Sequence[Token]: ...
    async def delete(self, token_id: int) -> bool: ...
    async def delete_of_client(self, user_id: int, client_id: str) -> int: ...
    async def delete_all_of_client(self, client_id: str) -> int:
        """Remove everybody's tokens of an OAuth client."""

    async def delete_of_server(self, server_id: int) -> int:
        """Remove a server's own token and those that its OAuth client was given."""

    async def delete_of_session(self, session_id: str) -> int: ...
    async def touch(self, moments: Mapping[int, Timestamp]) -> None: ...
    async def purge(self, now: Timestamp) -> int:
        """Remove what has expired and belongs to no grant; return how many."""


class Sessions(Protocol):
    """Log-ins of browsers."""

    async def add(self, session: Session) -> None: ...
    async def find(self, hashed: str) -> Session | None: ...
    async def with_id(self, session_id: str) -> Session | None: ...
    async def delete(self, hashed: str) -> bool: ...
    async def delete_of_user(self, user_id: int) -> int: ...
    async def purge(self, now: Timestamp) -> int: ...


class Servers(Protocol):
    """Servers; every write of an existing one is a compare-and-set on its version."""

    async def get(self, user_id: int, name: str) -> Server | None: ...
    async def get_by_id(self, server_id: int) -> Server | None: ...
    async def create(self, user_id: int, name: str, *, now: Timestamp) -> Server:
        """Return the new, stopped server; raise Conflict when it exists."""

    async def save(self, server: Server) -> Server | None:
        """Write `server` if its row still has `server.version`.

        Returns the record with its new version, or None when somebody else was first. Identity columns
        (id, user, name, created) and `last_activity` are not written.
        """

    async def delete(self, server: Server) -> bool:
        """Remove the row if it still has `server.version`."""

    async def of_users(self, user_ids: Sequence[int]) -> Sequence[Server]: ...
    async def unsettled(self) -> Sequence[Server]:
        """Return all whose fact is not their wish, or that a lease still names: work to look at."""

    async def starting(self, owner: str) -> Sequence[Server]:
        """Return those that others than `owner` are starting."""

    async def routed(self) -> Sequence[Server]:
        """Return all that have a URL."""

    async def tracked(self) -> Collection[tuple[int, int]]:
        """Return (id, generation) of every run that a row holds a checkpoint of."""

    async def due(self, limit: int) -> Sequence[Server]:
        """Return those whose start is wanted and has not begun, the longest waiting first."""

    async def count_due_before(self, server: Server) -> int:
        """Return how many starts were asked for before this one and have not begun."""

    async def positions(self, server_ids: Collection[int]) -> Mapping[int, int]:
        """Return how many starts are ahead of each of these whose own start is wanted and has not begun."""

    async def in_flight(self, after: int, limit: int) -> Sequence[int]:
        """Return the next ids after `after`, in order, of the `unsettled` that are no waiting starts."""

    async def with_url(self, after: int, limit: int) -> Sequence[int]:
        """Return the next ids after `after`, in order, of those that have a URL."""

    async def count_active(self) -> tuple[int, int]:
        """Return how many are active, and how many of these wait for a start or are in one."""

    async def renew(self, owner: str, *, expires: Timestamp, now: Timestamp) -> int:
        """Move the end of every lease that `owner` still holds forward; return how many there are.

        One that has expired is gone: somebody else may be at work already. Versions stay as they are, so
        that whoever is about to write a row is not disturbed.
        """

    async def touch(self, moments: Mapping[int, Timestamp]) -> None: ...


class Hubs(Protocol):
    """The hub processes that share the database."""

    async def put(self, hub: Hub) -> None:
        """Add a hub, or say again that it lives."""

    async def alive(self, now: Timestamp) -> Sequence[Hub]:
        """Return those that have said so lately, the oldest first."""

    async def remove(self, owner: str) -> None:
        """Forget a hub that has ended; unknown ones are fine."""

    async def purge(self, now: Timestamp) -> int:
        """Remove those that have not been heard of; return how many."""


class Facts(Protocol):
    """Single values that belong to the installation, such as its id."""

    async def get(self, key: str) -> str | None: ...
    async def put(self, key: str, value: str) -> None: ...
    async def add(self, key: str, value: str) -> str:
        """Put `value` where there is none yet; return what is there, which may be what another hub put."""


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
    def servers(self) -> Servers: ...
    @property
    def oauth(self) -> OAuth: ...
    @property
    def signing_keys(self) -> SigningKeys: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def hubs(self) -> Hubs: ...

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
