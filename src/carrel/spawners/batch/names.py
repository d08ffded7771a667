"""The names of jobs: by them a job is found again that was submitted a moment before a hub died."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

RunKey = tuple[int, int]
"""Server id and generation."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How jobs of a hub are called: prefix, hub, server and generation. Some systems want short names."""

    prefix: str = "carrel-"
    digits: int = 8
    """How much of the hub's digest is in it."""

    def name(self, hub_id: str, key: RunKey) -> str:
        """Return what the job of a run is called."""
        return f"{self._of_hub(hub_id)}-{key[0]}-{key[1]}"

    def key(self, hub_id: str, name: str) -> RunKey | None:
        """Return which run of the hub's a job is by its name, None when it is none."""
        found = re.fullmatch(rf"{re.escape(self._of_hub(hub_id))}-([0-9]{{1,15}})-([0-9]{{1,15}})", name)
        return (int(found[1]), int(found[2])) if found else None

    def _of_hub(self, hub_id: str) -> str:
        return self.prefix + hashlib.sha256(hub_id.encode()).hexdigest()[: self.digits]
