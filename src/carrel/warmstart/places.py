"""The control groups of a process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_MOUNTS = Path("/proc/self/mountinfo")


def own_groups() -> tuple[str, ...]:
    """Return the lines of /proc/self/cgroup; empty where there is none."""
    try:
        return tuple(_OWN.read_text().splitlines())
    except OSError:
        return ()


def join_groups(wanted: Sequence[str]) -> None:
    """Move this process into these groups, where it is in others; raises OSError when it may not."""
    missing = [line for line in wanted if line not in own_groups()]
    if not missing:
        return
    mounts = dict(_mounts(_MOUNTS.read_text()))
    for line in missing:
        _, controllers, path = line.split(":", 2)
        if controllers not in mounts:
            raise OSError(f"the control groups {controllers or 'of version 2'} are not mounted")
        root, mount = mounts[controllers]
        below = os.path.relpath(path, root) if root != "/" else path.lstrip("/")
        (mount / below / "cgroup.procs").write_text("0\n")


def _mounts(text: str) -> Iterator[tuple[str, tuple[str, Path]]]:
    """Yield for each hierarchy, empty for version 2, what is mounted where."""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        fields = mount.split()
        where = fields[3], Path(fields[4])
        if kind == "cgroup2":
            yield "", where
        elif kind == "cgroup":
            # The controllers come last, and /proc/PID/cgroup names them in the same order.
            chosen = [word for word in options.split(",") if word not in ("rw", "ro")]
            for first in range(len(chosen)):
                yield ",".join(chosen[first:]), where
