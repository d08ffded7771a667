"""What a hub has begun to start and has not seen the end of: one small file each, beside the logs.

For drivers that cannot look at other people's processes. A hub that was killed in the middle of a start finds
here whom to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class Begun:
    """A run, and whose it is."""

    server_id: int
    generation: int
    account: str
    since: Timestamp


class BegunRuns:
    """The files in one directory, which only the hub may read; without a directory nothing is noted."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def add(self, server_id: int, generation: int, account: str) -> None:
        """Note a run before it begins; may be repeated."""
        if self._directory is not None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _path(self._directory, server_id, generation).write_text(account)

    def remove(self, server_id: int, generation: int) -> None:
        """Forget a run that is surely over; may be repeated."""
        if self._directory is not None:
            _path(self._directory, server_id, generation).unlink(missing_ok=True)

    def all(self) -> list[Begun]:
        """Return what was noted; files that are not such notes are passed over."""
        found: list[Begun] = []
        if self._directory is None or not self._directory.is_dir():
            return found
        for path in sorted(self._directory.glob("*-*")):
            server_id, _, generation = path.name.partition("-")
            if server_id.isdecimal() and generation.isdecimal():
                try:
                    text, since = path.read_text(), path.stat().st_mtime
                except FileNotFoundError:
                    continue
                found.append(Begun(int(server_id), int(generation), text, since))
        return found


def _path(directory: Path, server_id: int, generation: int) -> Path:
    return directory / f"{server_id}-{generation}"
