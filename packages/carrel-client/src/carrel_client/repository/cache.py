"""Environments that were built before: whole ones only, built once, removed when long out of use."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DAY = 86400.0
_DONE = ".carrel-complete"


@dataclass(frozen=True, slots=True)
class Cache:
    """The environments in one directory of one user's."""

    directory: Path
    keep_days: float
    lock: Callable[[int], None]
    """Waits until an open file is locked; may raise."""

    def get(self, key: str, build: Callable[[Path], None]) -> Path:
        """Return the environment called `key`, after `build` has filled its directory if it is not there.

        What `build` raises leaves nothing behind. Several processes may ask at once: one builds, the others
        wait. Until this process has ended, and what it becomes by exec, nobody removes the environment.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.directory / f"{key}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        place = self.directory / key
        done = place / _DONE
        try:
            self.lock(lock)
            if not done.exists():
                _fill(place, done, build)
        except BaseException:
            os.close(lock)
            raise
        os.utime(done)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.set_inheritable(lock, True)
        return place

    def clean(self) -> int:
        """Remove what nobody has used for `keep_days` and nobody uses now; return how many were removed."""
        locks = list(self.directory.glob("*.lock"))
        return sum(_remove(lock, self._oldest()) for lock in locks)

    def _oldest(self) -> float:
        """Return since when something has to be in use to stay, by the clock of the file system."""
        mark = self.directory / ".now"
        mark.touch()
        return mark.stat().st_mtime - self.keep_days * _DAY


def _fill(place: Path, done: Path, build: Callable[[Path], None]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    try:
        build(place)
        done.touch()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _remove(lock: Path, oldest: float) -> bool:
    place = lock.with_suffix("")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = place / _DONE
        if not place.exists() or (done if done.exists() else place).stat().st_mtime >= oldest:
            return False
        # The lock stays: somebody may hold it open and wait for it.
        shutil.rmtree(place, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
