"""Last activity, gathered in memory and written in one transaction now and then."""

from __future__ import annotations

from carrel.lib.clock import Timestamp
from carrel.storage.base import Store


class Activity:
    """The latest moments seen since the last flush.

    A moment that moves the known one by less than `resolution` seconds is not worth a write.
    """

    def __init__(self, resolution: float) -> None:
        self._resolution = resolution
        self._users: dict[int, Timestamp] = {}
        self._tokens: dict[int, Timestamp] = {}
        self._servers: dict[int, Timestamp] = {}

    def user(self, user_id: int, moment: Timestamp, known: Timestamp | None = None) -> None:
        """Note that a user was active; `known` is what the record at hand says."""
        self._note(self._users, user_id, moment, known)

    def token(self, token_id: int, moment: Timestamp, known: Timestamp | None = None) -> None:
        """Note that a token was used."""
        self._note(self._tokens, token_id, moment, known)

    def server(self, server_id: int, moment: Timestamp, known: Timestamp | None = None) -> None:
        """Note that a server was used."""
        self._note(self._servers, server_id, moment, known)

    async def flush(self, store: Store) -> None:
        """Write everything that was noted; on failure it is kept for the next time."""
        users, tokens, servers = self._users, self._tokens, self._servers
        if not (users or tokens or servers):
            return
        self._users, self._tokens, self._servers = {}, {}, {}
        try:
            async with store.write() as tx:
                await tx.users.touch(users)
                await tx.tokens.touch(tokens)
                await tx.servers.touch(servers)
        except BaseException:
            self._users = users | self._users
            self._tokens = tokens | self._tokens
            self._servers = servers | self._servers
            raise

    def _note(self, into: dict[int, Timestamp], key: int, moment: Timestamp, known: Timestamp | None) -> None:
        latest = max(into.get(key, 0.0), known or 0.0)
        if moment - latest >= self._resolution or (not latest and moment):
            into[key] = moment
