"""Callers that were looked up a moment ago, so that most requests ask the database nothing."""

from __future__ import annotations

from collections.abc import Callable

from carrel.core.caller import Caller
from carrel.domain.events import (
    ClientEnded,
    Event,
    EventsMissed,
    GroupChanged,
    RightsChanged,
    RolesChanged,
    ServerChanged,
    ServiceChanged,
)
from carrel.domain.servers import Server
from carrel.domain.tokens import HUB_CLIENT_ID, Token
from carrel.lib.clock import Timestamp

_CAPACITY = 20_000
_ROWS_LAST = 1.0
#: A user's id, an OAuth client's, a service's, or a group whose members matter.
_Key = int | str | tuple[str, str | int]
#: How old the last proof that no event was missed may be, in seconds: what a change on another hub takes to
#: be heeded here, at most.
_TRUSTED = 1.0


class CallerCache:
    """Digest of a secret → Caller, bounded; a user's entries go when their rights change.

    A look-up that began before a change must not be stored after it: hand `put` the `epoch` from before.
    `monotonic` is given where other hubs may change rights, too: nothing is returned then unless it was
    proved a moment ago that all they said has been heard. A hub that was paused asks the database first.
    """

    def __init__(self, monotonic: Callable[[], float] | None = None) -> None:
        self._monotonic = monotonic
        self._proved: float | None = None
        self._entries: dict[str, tuple[Caller, Timestamp | None]] = {}
        self._groups: dict[_Key, set[str]] = {}
        """What goes together: the digests of each user (by id), with those of whom they share servers with,
        of each service, of each OAuth client, and of all whose scopes depend on who is in a group."""
        self.epoch = 0
        self.servers = ServerCache()

    def get(self, hashed: str, now: Timestamp) -> Caller | None:
        """Return the caller whose secret has this digest, unless unknown here, expired or in doubt."""
        entry = self._entries.get(hashed)
        if entry is None or not self._is_trusted():
            return None
        caller, expires = entry
        if expires is not None and now >= expires:
            self._drop(hashed)
            return None
        return caller

    def put(self, hashed: str, caller: Caller, expires: Timestamp | None, epoch: int) -> None:
        """Keep a caller until `expires`; nothing is kept when anything was dropped since `epoch`."""
        if epoch != self.epoch:
            return
        if len(self._entries) >= _CAPACITY:
            self._drop(next(iter(self._entries)))
        self._entries[hashed] = (caller, expires)
        for group in _groups(caller):
            self._groups.setdefault(group, set()).add(hashed)

    def heed(self, event: Event) -> None:
        """Drop what `event` makes stale; give this to the bus."""
        self.servers.heed(event)
        if isinstance(event, EventsMissed | RolesChanged):
            self.epoch += 1
            self._entries.clear()
            self._groups.clear()
        if isinstance(event, RightsChanged):
            self._drop_group(event.user_id)
        elif isinstance(event, ClientEnded):
            self._drop_group(event.client_id)
        elif isinstance(event, ServiceChanged):
            self._drop_group(_of_service(event.service_id))
        elif isinstance(event, GroupChanged):
            self._drop_group(_of_group(event.name))

    def prove(self, moment: float | None) -> None:
        """Note that all other hubs' changes before a monotonic moment were heeded; None: no longer known."""
        self._proved = moment

    def _is_trusted(self) -> bool:
        if self._monotonic is None:
            return True
        return self._proved is not None and self._monotonic() - self._proved < _TRUSTED

    def _drop_group(self, group: _Key) -> None:
        self.epoch += 1
        for hashed in tuple(self._groups.get(group, ())):
            self._drop(hashed)

    def _drop(self, hashed: str) -> None:
        entry = self._entries.pop(hashed, None)
        for group in () if entry is None else _groups(entry[0]):
            members = self._groups.get(group, set())
            members.discard(hashed)
            if not members:
                self._groups.pop(group, None)


class ServerCache:
    """The rows of users' servers, for a second at most: a client that asks who it is asks again and again.

    Every change empties it, of another hub as soon as it is heard of; activity shows a second later.
    """

    def __init__(self) -> None:
        self._rows: dict[int, tuple[tuple[Server, ...], float]] = {}
        self.epoch = 0

    def get(self, user_id: int, now: float) -> tuple[Server, ...] | None:
        """Return a user's servers as they were read within the last second of the monotonic clock."""
        rows, until = self._rows.get(user_id, (None, 0.0))
        return rows if now < until else None

    def put(self, user_id: int, rows: tuple[Server, ...], now: float, epoch: int) -> None:
        """Keep what was read after `epoch`; nothing is kept when a server has changed since."""
        if epoch != self.epoch:
            return
        if len(self._rows) >= _CAPACITY:
            self._rows.clear()
        self._rows[user_id] = (rows, now + _ROWS_LAST)

    def heed(self, event: Event) -> None:
        """Forget everything when a server or a user has changed."""
        if isinstance(event, ServerChanged | RightsChanged | EventsMissed):
            self.epoch += 1
            self._rows.clear()


def _groups(caller: Caller) -> tuple[_Key, ...]:
    watched = (*caller.owners, *(_of_group(name) for name in caller.watches))
    service, token = caller.service, caller.token
    owner: _Key = caller.owner.id if service is None else _of_service(service.id)
    if not isinstance(token, Token) or token.client_id == HUB_CLIENT_ID:
        return (owner, *watched)
    return (owner, token.client_id, *watched)


def _of_service(service_id: int) -> _Key:
    return "service", service_id


def _of_group(name: str) -> _Key:
    return "group", name
