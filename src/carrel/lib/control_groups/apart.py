"""Keeping a process alive when a supervisor ends the control group of this one.

Only groups by which services are tracked are left: those of version 2, and the named ones of version 1.
Groups of version 1 that have a controller hold limits, and are stayed in.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from carrel.lib.control_groups import systemd
from carrel.lib.control_groups.hierarchies import find_hierarchies

#: The directory below which groups of ours are made.
PARENT = "carrel"


def set_apart(pid: int, name: str, proc: Path = Path("/proc")) -> None:
    """Move a process into a group of its own, called `name`; does nothing where nobody ends groups.

    What it started before stays where it is: call this right after its start. Waits for systemd: call it in a
    thread. Raises OSError with the reason when it cannot be done.
    """
    if systemd.runs():
        systemd.make_scope(pid, name, root=os.geteuid() == 0)
        return
    for parent in _parents(proc):
        group = parent / name
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(f"{pid}\n")


def remove_group(name: str, proc: Path = Path("/proc")) -> None:
    """Remove what `set_apart` made, once nothing is in it; may be repeated. Systemd does so by itself."""
    if not systemd.runs():
        for parent in _parents(proc):
            with contextlib.suppress(OSError):
                (parent / name).rmdir()


def _parents(proc: Path) -> Sequence[Path]:
    """Return below which directories groups are made, one for each hierarchy where we are in a group."""
    found = find_hierarchies("self", proc)
    return [each.mount / PARENT for each in found if each.tracks and each.own != "/"]
