"""For drivers that read what their servers write: a start that waits while a repository is got ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar

from carrel.spawners.base import Spawner
from carrel.spawners.repositories import follow, repositories_of


class OutputLost(Exception):
    """What a server writes cannot be read, or not any more; it says nothing about the server."""


class Preparation:
    """The steps of one preparation, told by who waits for its end to who shows them."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.lasts = False
        """It has begun, and nobody has seen its end."""

    async def wait(
        self,
        spawner: Spawner,
        output: AsyncIterator[bytes] | None,
        tell: Callable[[int, str], None] | None = None,
    ) -> None:
        """Return when the repository is ready or cannot be, which ends its server.

        `output` is what the server writes until it has ended, and may raise OutputLost; None where nobody can
        read it. Then the server has more time to answer.
        """
        if not self.lasts:
            return
        try:
            if output is None:
                raise OutputLost
            await follow(output, tell or self._tell)
        except OutputLost:
            # Nothing tells how far it is: the server will answer when it is ready.
            self._have_patience(spawner)
        else:
            self.lasts = False

    def resume(self, spawner: Spawner, state: Mapping[str, Any], *, readable: bool = False) -> None:
        """Go on with a preparation whose checkpoint says that the hub which waited for it is gone.

        Where its output is `readable` its end is waited for again; else its server has more time to answer.
        """
        if not state.get("preparing"):
            return
        if readable:
            self.lasts = True
            spawner.start_timeout += repositories_of(spawner.config).timeout
        else:
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


class Prepares:
    """The part of a driver that puts `preparation()` before its servers' commands, and waits for it."""

    opens_repositories: ClassVar[bool] = True
    _told: Preparation | None = None

    @property
    def _preparation(self) -> Preparation:
        if self._told is None:
            self._told = Preparation()
        return self._told
