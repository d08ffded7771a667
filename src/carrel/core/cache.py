"""Callers that were looked up a moment ago, so that most requests ask the database nothing."""

from __future__ import annotations

from carrel.core.caller import Caller
from carrel.domain.events import ClientEnded, Event, RightsChanged
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.lib.clock import Timestamp

_CAPACITY = 20_000


class CallerCache:
    """Digest of a secret → Caller, bounded; a user's entries go when their rights change.

    A look-up that began before a change must not be stored after it: hand `put` the `epoch` from before.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Caller, Timestamp | None]] = {}
        self._groups: dict[int | str, set[str]] = {}
        """What goes together: the digests of each user (by id) and of each OAuth client."""
        self.epoch = 0

    def get(self, hashed: str, now: Timestamp) -> Caller | None:
        """Return the caller whose secret has this digest, unless unknown here or expired."""
        entry = self._entries.get(hashed)
        if entry is None:
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
        if isinstance(event, RightsChanged):
            self._drop_group(event.user_id)
        elif isinstance(event, ClientEnded):
            self._drop_group(event.client_id)

    def _drop_group(self, group: int | str) -> None:
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


def _groups(caller: Caller) -> tuple[int | str, ...]:
    token = caller.token
    if token is None or token.client_id == HUB_CLIENT_ID:
        return (caller.user.id,)
    return caller.user.id, token.client_id
