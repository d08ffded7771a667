"""One group with limits: who is in it, what it has used, and its end. Paths alone, so that it can be kept."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.control_groups import version1, version2
from carrel.lib.control_groups.files import Reading, read_text
from carrel.lib.control_groups.limits import Limits

#: Under which name the directory of version 2 is among the others, which are named for their controllers.
UNIFIED = "unified"
_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Group:
    """The directories of one group, by the controller of version 1 or `UNIFIED`."""

    places: Mapping[str, Path]

    @classmethod
    def of_state(cls, state: object) -> Group | None:
        """Return what `as_state` was made from, None when it is none."""
        if not isinstance(state, Mapping) or not state:
            return None
        return cls({str(name): Path(str(place)) for name, place in state.items()})

    def as_state(self) -> dict[str, str]:
        """Return it for JSON."""
        return {name: str(place) for name, place in self.places.items()}

    def doors(self) -> tuple[Path, ...]:
        """Return the files where a process that has the right to writes its pid, or 0, to get in."""
        return tuple(place / "cgroup.procs" for place in dict.fromkeys(self.places.values()))

    def join(self, pid: int) -> None:
        """Move a process into it, and with it all that it starts later; raises OSError."""
        for door in self.doors():
            door.write_text(f"{pid}\n")

    @property
    def keeps_apart(self) -> bool:
        """Tell whether a supervisor that ends the hub's own group leaves this one alone, too."""
        return UNIFIED in self.places or any(place.suffix == ".scope" for place in self.places.values())

    def members(self) -> set[int]:
        """Return the processes that are in it or below it."""
        found: set[int] = set()
        for place in self.places.values():
            with contextlib.suppress(OSError):
                for door in (place / "cgroup.procs", *place.glob("*/**/cgroup.procs")):
                    found.update(map(int, read_text(door).split()))
        return found

    def read(self) -> Reading:
        """Return what it has used; what cannot be read is unknown."""
        return version2.read(self._unified) if self._unified else version1.read(self.places)

    def in_force(self) -> Limits:
        """Return the hard limits that the kernel holds it to."""
        return version2.in_force(self._unified) if self._unified else version1.in_force(self.places)

    @property
    def _unified(self) -> Path | None:
        return self.places.get(UNIFIED)

    def end(self, seconds: float = 5.0) -> bool:
        """Kill all that is in it, and return whether it is empty; blocks for up to so many seconds."""
        deadline = time.monotonic() + seconds
        self._close()
        while members := self.members():
            _kill(members, self)
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def _close(self) -> None:
        """Let nothing start any more, where that can be had: else it has to be outrun."""
        with contextlib.suppress(OSError):
            kill = (self._unified or Path("/nowhere")) / "cgroup.kill"
            if kill.exists():
                kill.write_text("1")
        for place in self.places.values():
            with contextlib.suppress(OSError):
                if (place / "pids.max").exists():
                    (place / "pids.max").write_text("0")

    def remove(self) -> bool:
        """Remove its directories and tell whether that was possible; may be repeated."""
        for place in dict.fromkeys(self.places.values()):
            with contextlib.suppress(OSError):
                for below in sorted(place.glob("*/**/"), reverse=True):
                    below.rmdir()
                place.rmdir()
        return not any(place.exists() for place in self.places.values())


def _kill(members: set[int], group: Group) -> None:
    handles: dict[int, int] = {}
    try:
        for pid in members:
            with contextlib.suppress(OSError):
                handles[pid] = os.pidfd_open(pid)
        # A number may have become another's before its handle was opened: whoever is still there is meant.
        for pid in handles.keys() & group.members():
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(handles[pid], signal.SIGKILL)
    finally:
        for handle in handles.values():
            os.close(handle)
