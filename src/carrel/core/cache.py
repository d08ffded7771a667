"""Callers that were looked up a moment ago, so that most requests ask the database nothing."""

from __future__ import annotations

from carrel.core.caller import Caller
from carrel.domain.events import Event, RightsChanged
from carrel.lib.clock import Timestamp

_CAPACITY = 20_000


class CallerCache:
    """Digest of a secret → Caller, bounded; a user's entries go when their rights change.

    A look-up that began before a change must not be stored after it: hand `put` the `epoch` from before.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Caller, Timestamp | None]] = {}
        self._of_user: dict[int, set[str]] = {}
        self.epoch = 0

    def get(self, hashed: str, now: Timestamp) -> Caller | None:
        """Return the caller whose secret has this digest, unless unknown here or expired."""
        entry = self._entries.get(hashed)
        if entry is None:
            return None
        caller, expires = entry
        if expires is not None and now >= expires:
            self._drop(hashed, caller.user.id)
            return None
        return caller

    def put(self, hashed: str, caller: Caller, expires: Timestamp | None, epoch: int) -> None:
        """Keep a caller until `expires`; nothing is kept when anything was dropped since `epoch`."""
        if epoch != self.epoch:
            return
        if len(self._entries) >= _CAPACITY:
            oldest, (old, _) = next(iter(self._entries.items()))
            self._drop(oldest, old.user.id)
        self._entries[hashed] = (caller, expires)
        self._of_user.setdefault(caller.user.id, set()).add(hashed)

    def heed(self, event: Event) -> None:
        """Drop what `event` makes stale; give this to the bus."""
        if isinstance(event, RightsChanged):
            self.epoch += 1
            for hashed in self._of_user.pop(event.user_id, ()):
                self._entries.pop(hashed, None)

    def _drop(self, hashed: str, user_id: int) -> None:
        self._entries.pop(hashed, None)
        self._of_user.get(user_id, set()).discard(hashed)
