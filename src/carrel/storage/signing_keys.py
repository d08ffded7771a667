"""What the hub asks of its database about the keys that it signs with; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from carrel.domain.signing import SigningKey


class SigningKeys(Protocol):
    """The keys that all hubs of the database sign with."""

    async def all(self) -> Sequence[SigningKey]:
        """Return all keys, the oldest first."""

    async def add(self, key: SigningKey) -> None: ...
    async def delete(self, key_id: str) -> bool: ...
