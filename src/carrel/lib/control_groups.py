"""Keeping a process alive when a supervisor ends the control group of this one.

Only groups by which services are tracked are left: those of version 2, and the named ones of version 1.
Groups of version 1 that have a controller hold limits, and are stayed in.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_SYSTEMD = Path("/run/systemd/system")
_OWN_GROUPS = Path("/proc/self/cgroup")
_MOUNTS = Path("/proc/self/mountinfo")
_PARENT = "carrel"
_CALL_LIMIT = 5.0


def set_apart(pid: int, name: str) -> None:
    """Move a process into a group of its own, called `name`; does nothing where nobody ends groups.

    What it started before stays where it is: call this right after its start. Waits for systemd: call it in a
    thread. Raises OSError with the reason when it cannot be done.
    """
    if _SYSTEMD.is_dir():
        _make_scope(pid, name)
        return
    for parent in _parents():
        group = parent / name
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(f"{pid}\n")


def remove_group(name: str) -> None:
    """Remove what `set_apart` made, once nothing is in it; may be repeated. Systemd does so by itself."""
    if not _SYSTEMD.is_dir():
        for parent in _parents():
            with contextlib.suppress(OSError):
                (parent / name).rmdir()


def scope_call(pid: int, name: str, *, root: bool) -> list[str]:
    """Return the command that has systemd put a running process into a new scope.

    `systemd-run --scope` cannot do that: it would have to start the process, after it lost the rights to ask.
    """
    manager = "org.freedesktop.systemd1"
    properties = ["2", "PIDs", "au", "1", str(pid), "CollectMode", "s", "inactive-or-failed"]
    return [
        *("busctl", *([] if root else ["--user"]), "--quiet", "call"),
        *(manager, "/org/freedesktop/systemd1", f"{manager}.Manager", "StartTransientUnit"),
        *("ssa(sv)a(sa(sv))", f"{name}-{pid}.scope", "fail", *properties, "0"),
    ]


def _make_scope(pid: int, name: str) -> None:
    command = scope_call(pid, name, root=os.geteuid() == 0)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CALL_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise OSError("systemd does not answer") from None
    if done.returncode != 0:
        raise OSError(done.stderr.strip() or f"busctl ended with status {done.returncode}")


def _parents() -> Sequence[Path]:
    """Return below which directories groups are made, one for each hierarchy where we are in a group."""
    try:
        groups, mounts = _OWN_GROUPS.read_text(), _MOUNTS.read_text()
    except OSError:
        return []
    left = set(_tracking(groups))
    return [mount / _PARENT for hierarchy, mount in _hierarchies(mounts) if hierarchy in left]


def _tracking(text: str) -> Iterator[str]:
    """Yield the hierarchies, empty for version 2, in which /proc/PID/cgroup shows more than the root."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if path != "/" and (not controllers or controllers.startswith("name=")):
            yield controllers


def _hierarchies(text: str) -> Iterator[tuple[str, Path]]:
    """Yield name and mount point of the hierarchies in /proc/PID/mountinfo."""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        name = next((option for option in options.split(",") if option.startswith("name=")), None)
        if kind == "cgroup2":
            yield "", Path(mount.split()[4])
        elif kind == "cgroup" and name is not None:
            yield name, Path(mount.split()[4])
