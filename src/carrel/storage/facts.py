"""What the hub asks of its database about single values; see `carrel.storage.base`."""

from __future__ import annotations

from typing import Protocol


class Facts(Protocol):
    """Single values that belong to the installation, such as its id."""

    async def get(self, key: str) -> str | None: ...
    async def put(self, key: str, value: str) -> None: ...
    async def add(self, key: str, value: str) -> str:
        """Put `value` where there is none yet; return what is there, which may be what another hub put."""
