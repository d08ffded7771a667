"""The repositories of a transaction, one for each noun, and what their questions are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from carrel.domain.groups import Group
from carrel.domain.hubs import Hub
from carrel.domain.oauth import OAuthClient, OAuthCode
from carrel.domain.paging import Page, PageRequest
from carrel.domain.roles import Role
from carrel.domain.servers import Server
from carrel.domain.shares import Receiver, Share, ShareCode
from carrel.domain.tokens import Session, Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp


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


@dataclass(frozen=True, slots=True)
class ShareFilter:
    """Which shares or codes a listing shows: exactly one of these is given."""

    owner_id: int | None = None
    """Those of all servers of a user."""
    server_id: int | None = None
    user_id: int | None = None
    """Those that a user has, also by their groups."""
    group_id: int | None = None


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
    async def get_auth_state(self, user_id: int) -> str | None: ...
    async def set_auth_state(self, user_id: int, sealed: str | None) -> None: ...
    async def named(self, names: Iterable[str]) -> Sequence[User]:
        """Return those of the names that exist, in the order of their ids."""

    async def rename(self, user_id: int, name: str) -> None:
        """Raise Conflict when the name is taken, NotFound when the user is gone."""

    async def delete(self, user_id: int) -> None:
        """Remove a user with their tokens, sessions, codes and servers' rows."""

    async def page(self, which: UserFilter, page: PageRequest) -> Page[User]: ...
    async def count(self, active_since: Timestamp = 0.0) -> int:
        """Return how many there are, or only those who were active since a moment."""

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
        """Remove what all users' browsers were given for an OAuth client that goes away."""

    async def delete_of_server(self, server_id: int) -> int:
        """Remove a server's own token and those that its OAuth client was given."""

    async def delete_of_session(self, session_id: str) -> int: ...
    async def touch(self, moments: Mapping[int, Timestamp]) -> None: ...
    async def purge(self, now: Timestamp) -> int:
        """Remove what has expired; return how many."""


class Sessions(Protocol):
    """Log-ins of browsers."""

    async def add(self, session: Session) -> None: ...
    async def find(self, hashed: str) -> Session | None: ...
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

    async def rename(self, server: Server, name: str) -> Server | None:
        """Give `server` another name if its row still has `server.version`.

        Returns the record with its new version, None when somebody else was first; raises Conflict when the
        user has a server of that name.
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

    async def count_ready(self) -> int:
        """Return how many run and are wanted."""

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


class OAuth(Protocol):
    """OAuth clients and codes."""

    async def put_client(self, client: OAuthClient) -> None:
        """Add a client, or replace the one with its id."""

    async def get_client(self, client_id: str) -> OAuthClient | None: ...
    async def descriptions(self, client_ids: Iterable[str]) -> Mapping[str, str]:
        """Return what those of the clients that exist say they are, by id."""

    async def delete_clients_of_server(self, server_id: int) -> int: ...
    async def delete_client(self, client_id: str) -> None:
        """Remove a client and its codes; unknown ones are fine."""

    async def add_code(self, code: OAuthCode) -> None: ...
    async def take_code(self, hashed: str) -> OAuthCode | None:
        """Return the code and remove it: only one caller ever gets it."""

    async def delete_codes_of_session(self, session_id: str) -> int:
        """Remove the codes that were given in a session which has ended."""

    async def purge_codes(self, now: Timestamp) -> int: ...


class Shares(Protocol):
    """What is shared of servers, and with whom; all of it goes with the server, and with the receiver."""

    async def find(self, server_id: int, receiver: Receiver) -> Share | None: ...
    async def put(
        self, server_id: int, receiver: Receiver, scopes: Iterable[str], *, now: Timestamp
    ) -> Share:
        """Share a server, or replace the scopes of the share that there is."""

    async def delete(self, share_id: int) -> bool: ...
    async def delete_of_server(self, server_id: int) -> int: ...
    async def of_user(self, user_id: int) -> Sequence[Share]:
        """Return all that is shared with a user, by name or by a group."""

    async def of_group(self, group_id: int) -> Sequence[Share]: ...
    async def page(self, which: ShareFilter, page: PageRequest) -> Page[Share]:
        """Return shares in the order of their ids."""


class ShareCodes(Protocol):
    """Invitations; those that have expired are as good as gone."""

    async def add(
        self, server_id: int, hashed: str, scopes: Iterable[str], *, now: Timestamp, expires: Timestamp
    ) -> ShareCode: ...
    async def find(self, hashed: str, *, now: Timestamp) -> ShareCode | None: ...
    async def page(self, which: ShareFilter, page: PageRequest, *, now: Timestamp) -> Page[ShareCode]:
        """Return codes in the order of their ids; `which` names an owner or a server."""

    async def count_exchange(self, code_id: int, *, now: Timestamp) -> None:
        """Note that a code was used once more."""

    async def delete(self, server_id: int, code_id: int) -> bool:
        """Remove one of a server's codes."""

    async def delete_of_server(self, server_id: int) -> int: ...
    async def purge(self, now: Timestamp) -> int:
        """Remove what has expired; return how many."""


class Facts(Protocol):
    """Single values that belong to the installation, such as its id."""

    async def get(self, key: str) -> str | None: ...
    async def put(self, key: str, value: str) -> None: ...
    async def add(self, key: str, value: str) -> str:
        """Put `value` where there is none yet; return what is there, which may be what another hub put."""
