"""Control groups that are left when a hub and its servers are killed, and nobody is there to remove them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from tests.rigs import processes

_MOUNT = Path("/sys/fs/cgroup")


def groups_of(pids: Iterable[int]) -> list[Path]:
    """Return the directories of the groups in which processes are, as far as these are servers' own."""
    found = set()
    for pid in pids:
        hub = processes.environment(pid).get("CARREL_HUB_ID", "")[:8]
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
            names = [line.split(":", 2)[1:] for line in lines]
            found |= {
                _MOUNT / controllers / path.lstrip("/")
                for controllers, path in names
                if hub and Path(path).name.startswith(f"carrel-{hub}-")
            }
    return sorted(found)


def remove_groups(groups: Iterable[Path]) -> None:
    """Remove those that are empty."""
    for group in groups:
        with contextlib.suppress(OSError):
            group.rmdir()
