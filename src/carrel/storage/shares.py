"""What the hub asks of its database about shares and share codes; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from carrel.domain.paging import Page, PageRequest
from carrel.domain.shares import Receiver, Share, ShareCode
from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class ShareFilter:
    """Which shares or codes a listing shows: exactly one of these is given."""

    owner_id: int | None = None
    """Those of all servers of a user."""
    server_id: int | None = None
    user_id: int | None = None
    """Those that a user has, also by their groups."""
    group_id: int | None = None


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
        self,
        server_id: int,
        hashed: str,
        scopes: Iterable[str],
        *,
        now: Timestamp,
        expires: Timestamp,
        prefix: str = "",
    ) -> ShareCode:
        """Store a code; `prefix` is its beginning, by which JupyterHub would look for it."""

    async def find(self, hashed: str, *, now: Timestamp) -> ShareCode | None: ...
    async def salted(self, prefix: str, *, now: Timestamp) -> Sequence[tuple[ShareCode, str]]:
        """Return codes that begin like this, at most 50, with their salted digests: those of JupyterHub's."""

    async def page(self, which: ShareFilter, page: PageRequest, *, now: Timestamp) -> Page[ShareCode]:
        """Return codes in the order of their ids; `which` names an owner or a server."""

    async def count_exchange(self, code_id: int, *, now: Timestamp) -> None:
        """Note that a code was used once more."""

    async def delete(self, server_id: int, code_id: int) -> bool:
        """Remove one of a server's codes."""

    async def delete_of_server(self, server_id: int) -> int: ...
    async def purge(self, now: Timestamp) -> int:
        """Remove what has expired; return how many."""
