"""Waiting for the first phase of a server that is started from a repository."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from carrel.spawners.familiar import FamiliarNames
from carrel.spawners.repositories import Preparation, repositories_of


class PreparesRepositories(FamiliarNames):
    """The part of a local spawner that follows how far its server's repository is."""

    repository: Any
    http_timeout: Any
    _preparation: Preparation | None = None
    _is_preparing: bool = False

    def _load_preparing(self, state: Mapping[str, Any]) -> None:
        if state.get("preparing"):
            # The hub that waited for it is gone; it goes on all the same.
            self.http_timeout += repositories_of(self.config).timeout

    async def _until_prepared(self, log_file: str, lives: Callable[[], Awaitable[bool]]) -> None:
        """Return when the repository is ready, or when nothing is to be waited for any more."""
        if not self._is_preparing:
            return
        if not log_file:
            # Nothing tells how far it is: the server will answer when it is ready.
            self.http_timeout += repositories_of(self.config).timeout
            return
        await self._steps().wait(Path(log_file), lives)
        self._is_preparing = False

    def _steps(self) -> Preparation:
        if self._preparation is None:
            self._preparation = Preparation()
        return self._preparation
