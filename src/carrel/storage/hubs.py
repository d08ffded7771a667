"""What the hub asks of its database about hub processes; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from carrel.domain.hubs import Hub
from carrel.lib.clock import Timestamp


class Hubs(Protocol):
    """The hub processes that share the database."""

    async def put(self, hub: Hub) -> None:
        """Add a hub, or say again that it lives."""

    async def alive(self, now: Timestamp) -> Sequence[Hub]:
        """Return those that have said so lately, the oldest first."""

    async def remove(self, owner: str) -> None:
        """Forget a hub that has ended; unknown ones are fine."""

    async def purge(self, now: Timestamp) -> int:
        """Remove those that have not been heard of; return how many."""
