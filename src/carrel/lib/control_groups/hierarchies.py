"""The trees of control groups that this machine has mounted, and where in them a process is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of groups."""

    version: int
    names: frozenset[str]
    """Of version 1: its controllers, or `name=…`; of version 2 empty."""
    mount: Path
    root: str
    """Which group is seen at the mount point, as `own` counts."""
    own: str
    """The group of the process that was asked about."""

    @property
    def own_directory(self) -> Path | None:
        """Where the process's own group is, None when it cannot be seen from here."""
        own, root = PurePosixPath(self.own), PurePosixPath(self.root)
        # In a container the mount may show less than the names tell, or more.
        below = own.relative_to(root) if own.is_relative_to(root) else own.relative_to("/")
        directory = self.mount / below
        return directory if ".." not in below.parts and directory.is_dir() else None

    @property
    def tracks(self) -> bool:
        """Tell whether it has no controller of version 1, so that it may serve supervisors."""
        return self.version == 2 or any(name.startswith("name=") for name in self.names)


def find_hierarchies(pid: int | str = "self", proc: Path = _PROC) -> tuple[Hierarchy, ...]:
    """Return the hierarchies in which a process is; empty where there are none, or no such process."""
    try:
        groups = (proc / str(pid) / "cgroup").read_text()
        mounts = (proc / "self" / "mountinfo").read_text()
    except OSError:
        return ()
    own = dict(_groups(groups))
    seen: dict[frozenset[str], Hierarchy] = {}
    for names, version, root, mount in _mounts(mounts):
        key = next((each for each in own if each == names or (each and each <= names)), None)
        if key is not None and key not in seen:
            seen[key] = Hierarchy(version, key, mount, root, own[key])
    return tuple(seen.values())


def _groups(text: str) -> Iterator[tuple[frozenset[str], str]]:
    """Yield names and path of each line of /proc/PID/cgroup."""
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        yield frozenset(filter(None, names.split(","))), path


def _mounts(text: str) -> Iterator[tuple[frozenset[str], int, str, Path]]:
    """Yield names or options, version, root and mount point of the hierarchies in /proc/PID/mountinfo."""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        fields = mount.split()
        if kind == "cgroup2":
            yield frozenset(), 2, fields[3], Path(fields[4])
        elif kind == "cgroup":
            yield frozenset(options.split(",")), 1, fields[3], Path(fields[4])
