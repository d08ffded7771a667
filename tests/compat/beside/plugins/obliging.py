"""A spawner without processes that does what its options say. It runs under JupyterHub and Carrel alike."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Spawner = Any
else:
    try:
        from jupyterhub.spawner import Spawner
    except ImportError:
        from carrel.spawners.base import Spawner


class ObligingSpawner(Spawner):  # type: ignore[misc]
    """Starts at once; with the option `wait` never, with `fail` it says why not."""

    running = False

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.running = bool(state.get("running"))

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        # The token for those who ask for tokens in the server's place.
        return state | {"running": self.running, "api_token": self.api_token}

    def clear_state(self) -> None:
        super().clear_state()
        self.running = False

    async def start(self) -> tuple[str, int]:
        options = self.user_options
        if options.get("fail"):
            raise RuntimeError(str(options["fail"]))
        self.running = True
        if options.get("wait"):
            await asyncio.Event().wait()
        return "127.0.0.1", int(os.environ["BESIDE_STUB_PORT"])

    async def poll(self) -> int | None:
        return None if self.running else 0

    async def stop(self, now: bool = False) -> None:
        self.running = False
