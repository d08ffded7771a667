"""For drivers that read what their servers write: a start that waits while a repository is got ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from carrel.spawners.base import Spawner
from carrel.spawners.repositories import follow, repositories_of


class Preparation:
    """The steps of one preparation, told by who waits for its end to who shows them."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.lasts = False
        """It has begun, and nobody has seen its end."""

    async def wait(self, spawner: Spawner, log: str) -> None:
        """Return when the repository is ready or cannot be, or when its server has ended."""

        async def lives() -> bool:
            return await spawner.poll_now() is None

        if not self.lasts:
            return
        if not log:
            # Nothing tells how far it is: the server will answer when it is ready.
            self._have_patience(spawner)
            return
        await follow(Path(log), lives, self._tell)
        self.lasts = False

    def resume(self, spawner: Spawner, state: Mapping[str, Any]) -> None:
        """Have patience with a server whose checkpoint says that the hub which waited for it is gone."""
        if state.get("preparing"):
            self._have_patience(spawner)

    def as_state(self) -> dict[str, Any]:
        """Return what a checkpoint has to say of it."""
        return {"preparing": True} if self.lasts else {}

    def _have_patience(self, spawner: Spawner) -> None:
        spawner.http_timeout += repositories_of(spawner.config).timeout

    def _tell(self, progress: int, message: str) -> None:
        self._steps.put_nowait({"progress": progress, "message": message})

    async def steps(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of `progress()`, for as long as somebody asks."""
        while True:
            yield await self._steps.get()
