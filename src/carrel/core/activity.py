"""Last activity, gathered in memory and written in one transaction now and then."""

from __future__ import annotations

from dataclasses import replace

from carrel.domain.servers import Server
from carrel.domain.tokens import Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.storage.base import Store

Moments = dict[int, Timestamp]


class Activity:
    """The latest moments seen since the last flush.

    A moment that moves the known one by less than `resolution` seconds is not worth a write.
    """

    def __init__(self, resolution: float) -> None:
        self._resolution = resolution
        self._users = _Kind()
        self._tokens = _Kind()
        self._servers = _Kind()

    def user(self, user_id: int, moment: Timestamp, known: Timestamp | None = None) -> None:
        """Note that a user was active; `known` is what the record at hand says."""
        self._users.note(user_id, moment, known or 0.0, self._resolution)

    def token(self, token_id: int, moment: Timestamp, known: Timestamp | None = None) -> None:
        """Note that a token was used."""
        self._tokens.note(token_id, moment, known or 0.0, self._resolution)

    def server(self, server_id: int, moment: Timestamp, known: Timestamp | None = None) -> None:
        """Note that a server was used."""
        self._servers.note(server_id, moment, known or 0.0, self._resolution)

    def of_user(self, user: User) -> User:
        """Return a user's record with the latest moment that is known of them."""
        latest = self._users.latest(user.id)
        return user if latest <= (user.last_activity or 0.0) else replace(user, last_activity=latest)

    def of_token(self, token: Token) -> Token:
        """Return a token's record with the latest moment that is known of it."""
        latest = self._tokens.latest(token.id)
        return token if latest <= (token.last_activity or 0.0) else replace(token, last_activity=latest)

    def of_server(self, server: Server) -> Server:
        """Return a server's record with the latest moment that is known of it."""
        latest = self._servers.latest(server.id)
        return server if latest <= (server.last_activity or 0.0) else replace(server, last_activity=latest)

    async def flush(self, store: Store) -> None:
        """Write everything that was noted; on failure it is kept for the next time."""
        kinds = (self._users, self._tokens, self._servers)
        if not any(kind.noted for kind in kinds):
            return
        users, tokens, servers = (kind.take() for kind in kinds)
        try:
            async with store.write() as tx:
                await tx.users.touch(users)
                await tx.tokens.touch(tokens)
                await tx.servers.touch(servers)
        except BaseException:
            for kind, moments in zip(kinds, (users, tokens, servers), strict=True):
                kind.put_back(moments)
            raise
        for kind, moments in zip(kinds, (users, tokens, servers), strict=True):
            kind.remember(moments, self._resolution)


class _Kind:
    """The moments of users, of tokens or of servers, by id."""

    def __init__(self) -> None:
        self.noted: Moments = {}
        self._leaving: Moments = {}
        """What is being written at this moment: the database may not show it yet."""
        self._written: Moments = {}
        """What was written lately: records in callers' hands are older than that."""

    def latest(self, key: int) -> Timestamp:
        noted, written = self.noted.get(key, 0.0), self._written.get(key, 0.0)
        latest = noted if noted > written else written
        leaving = self._leaving.get(key, 0.0) if self._leaving else 0.0
        return latest if latest > leaving else leaving

    def note(self, key: int, moment: Timestamp, known: Timestamp, resolution: float) -> None:
        latest = max(self.latest(key), known)
        if moment - latest >= resolution or (not latest and moment):
            self.noted[key] = moment

    def take(self) -> Moments:
        taken, self.noted = self.noted, {}
        self._leaving = taken
        return taken

    def put_back(self, moments: Moments) -> None:
        self._leaving = {}
        for key, moment in moments.items():
            self.noted[key] = max(moment, self.noted.get(key, 0.0))

    def remember(self, moments: Moments, resolution: float) -> None:
        self._leaving = {}
        # Older ones hold no later moment back any more.
        since = max(moments.values(), default=0.0) - resolution
        kept = {key: moment for key, moment in self._written.items() if moment > since}
        self._written = kept | moments
