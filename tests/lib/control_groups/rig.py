"""Machines whose control groups are directories: what the kernel would read is there to be looked at."""

from __future__ import annotations

from pathlib import Path

from carrel.lib.control_groups.hierarchies import Hierarchy
from carrel.lib.control_groups.machine import Machine

ROOT_FILES = (
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "cpu.shares",
    "memory.limit_in_bytes",
    "memory.soft_limit_in_bytes",
)


def version1(place: Path, *controllers: str, own: str = "/hub") -> Machine:
    """A machine with a hierarchy for each controller; the hub is in the group `own` of each."""
    found = []
    for name in controllers:
        mount = place / name
        directory = mount / own.lstrip("/")
        directory.mkdir(parents=True)
        for file in ROOT_FILES:
            if file.startswith(f"{name}."):
                (directory / file).touch()
        found.append(Hierarchy(1, frozenset({name}), mount, "/", own))
    return Machine(tuple(found), systemd=False, root=True)


def version2(place: Path, controllers: str = "cpu memory pids", own: str = "/") -> Machine:
    """A machine with one tree; the hub is in the group `own` of it."""
    for directory in {place, place / own.lstrip("/")}:
        group(directory, controllers)
    return Machine((Hierarchy(2, frozenset(), place, "/", own),), systemd=False, root=True)


def group(directory: Path, controllers: str = "cpu memory pids", **files: str) -> Path:
    """A group of version 2 that holds what `files` say, with a dot for each underscore's first."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.controllers").write_text(f"{controllers}\n")
    (directory / "cgroup.subtree_control").write_text("")
    (directory / "cgroup.procs").write_text("")
    for name, text in files.items():
        (directory / name.replace("_", ".", 1)).write_text(text)
    return directory


def written(directory: Path) -> dict[str, str]:
    """What stands in the files of a directory."""
    return {path.name: path.read_text() for path in sorted(directory.iterdir()) if path.is_file()}
