"""Servers without processes, in a directory that all hubs see: a file for each run that lives.

What happens is written to `effects.log`, a line each. A run that begins beside another of its server says so.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets import Unicode

from carrel.spawners.base import Spawner


class WorldSpawner(Spawner):
    """Starts nothing: a stub that is there already answers for every server."""

    directory = Unicode(help="Where the runs are.").tag(config=True)
    stub_url = Unicode(help="What answers for all servers.").tag(config=True)
    begun = Unicode()

    def load_state(self, state: Any) -> None:
        super().load_state(state)
        self.begun = str(state.get("begun", ""))

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | ({"begun": self.begun} if self.begun else {})

    def clear_state(self) -> None:
        super().clear_state()
        self.begun = ""

    async def start(self) -> tuple[str, int]:
        beside = [run for run in self._runs() if run != self._file]
        self._file.touch()
        self._note("DOUBLE" if beside else "start")
        self.begun = self._file.name
        await self.save_state()
        address = urlsplit(self.stub_url)
        return str(address.hostname), int(address.port or 0)

    async def poll(self) -> int | None:
        return None if self._file.exists() else 0

    async def stop(self, now: bool = False) -> None:
        self._file.unlink(missing_ok=True)
        self._note("stop")

    @property
    def _file(self) -> Path:
        return Path(self.directory) / f"{self.server_id}.{self.generation}"

    def _runs(self) -> list[Path]:
        return list(Path(self.directory).glob(f"{self.server_id}.*"))

    def _note(self, what: str) -> None:
        line = f"{time.time():.6f} {what} {self.server_id} {self.generation} {os.getpid()}\n"
        handle = os.open(Path(self.directory) / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, line.encode())
        os.close(handle)
