"""What the hub asks of its database about log-ins that another hub began; see `carrel.storage.base`."""

from __future__ import annotations

from typing import Protocol

from carrel.lib.clock import Timestamp


class ImportedLogins(Protocol):
    """JupyterHub's log-in cookies: what they carry says whose they are, and each is good for one exchange.

    Both are kept as digests. They end with the user, and with all log-ins of the user.
    """

    async def add(self, hashed: str, user_id: int, *, expires: Timestamp) -> None:
        """Say whose cookies carry a value with this digest."""

    async def owner(self, hashed: str, *, now: Timestamp) -> int | None:
        """Return the id of the user whose cookies carry a value, None when nobody's do (any more)."""

    async def spend(self, hashed: str, user_id: int, *, now: Timestamp, expires: Timestamp) -> Timestamp:
        """Return when a cookie, known by its digest, was first exchanged: now, unless it was before."""

    async def delete_of_user(self, user_id: int) -> int: ...
    async def purge(self, now: Timestamp) -> int: ...
