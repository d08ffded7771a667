"""A spawner without processes: one stub answers for all. It runs under JupyterHub and Carrel alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Spawner = Any
else:
    try:
        from jupyterhub.spawner import Spawner
    except ImportError:
        from carrel.spawners.base import Spawner


class NoProcessSpawner(Spawner):  # type: ignore[misc]
    """Says that a server runs from start to stop."""

    running = False

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.running = bool(state.get("running"))

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        return state | {"running": self.running}

    def clear_state(self) -> None:
        super().clear_state()
        self.running = False

    async def start(self) -> tuple[str, int]:
        self.running = True
        return "127.0.0.1", int(os.environ["BENCH_STUB_PORT"])

    async def poll(self) -> int | None:
        return None if self.running else 0

    async def stop(self, now: bool = False) -> None:
        self.running = False
