"""What the hub asks of its database about servers; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from carrel.domain.servers import Server
from carrel.lib.clock import Timestamp


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
    async def named(self) -> Sequence[tuple[int, str]]:
        """Return id and name of every server that has a name."""
        ...

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

    async def renew(self, owner: str, *, expires: Timestamp, now: Timestamp) -> Collection[tuple[int, int]]:
        """Move the end of every lease that `owner` still holds forward; return (id, fence) of each.

        One that has expired is gone: somebody else may be at work already. Versions stay as they are, so
        that whoever is about to write a row is not disturbed.
        """

    async def touch(self, moments: Mapping[int, Timestamp]) -> None: ...
