"""What the hub asks of its database about log-ins; see `carrel.storage.base`."""

from __future__ import annotations

from typing import Protocol

from carrel.domain.tokens import Session
from carrel.lib.clock import Timestamp


class Sessions(Protocol):
    """Log-ins of browsers."""

    async def add(self, session: Session) -> None: ...
    async def find(self, hashed: str) -> Session | None: ...
    async def delete(self, hashed: str) -> bool: ...
    async def delete_of_user(self, user_id: int) -> int: ...
    async def purge(self, now: Timestamp) -> int: ...
