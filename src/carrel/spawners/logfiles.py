"""What a server writes, kept by the hub: one file for the present run, one for the run before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

_MOST_READ = 256 * 1024
_LONGEST_NAME = 40
_SUFFIX = ".log"
_PART = 1024 * 1024
#: What is left of a log that was set aside: enough for what its owner is shown.
_KEPT = 32 * 1024
_AT_ONCE = 64 * 1024
_LOOK = 0.2


def log_path(directory: str, user_name: str, server_id: int) -> Path:
    """Return where the log of a server is; no two servers share one, whatever their users are called."""
    readable = re.sub(r"[^A-Za-z0-9_]", "-", user_name)[:_LONGEST_NAME]
    return Path(directory) / f"{readable}-{server_id}{_SUFFIX}"


def open_log(path: Path) -> int:
    """Return a descriptor of a new, empty log that only the hub may read; the last run's is set aside."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.replace(_previous(path))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


def read_tail(path: Path, lines: int) -> str:
    """Return the last `lines` lines, at most 256 KiB; empty when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            begin = max(0, file.tell() - _MOST_READ)
            file.seek(begin)
            found = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    # The first line is half a line then, and a secret in it may not be known as one.
    whole = found[1:] if begin and len(found) > 1 else found
    return "\n".join(whole[-lines:]) if lines > 0 else ""


async def written(path: Path, alive: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """Yield what is in a log and what is added to it, until its writer is not alive."""
    place = 0
    while True:
        last = not await alive()
        with path.open("rb") as file:
            # A log that has grown too long begins anew.
            place = place if place <= file.seek(0, os.SEEK_END) else 0
            file.seek(place)
            data = file.read(_AT_ONCE)
        place += len(data)
        if data:
            yield data
        if len(data) < _AT_ONCE:
            if last:
                return
            await asyncio.sleep(_LOOK)


def bound_log(path: Path, largest: int) -> None:
    """Set aside the end of a log that has grown beyond `largest` bytes, and let its writer go on in it.

    The very last lines are in both. What is written in the same moment may be lost. The writer must append,
    as those of `open_log` do.
    """
    try:
        if path.stat().st_size <= largest:
            return
        end = _set_aside(path, largest)
        os.truncate(path, 0)
        with path.open("ab") as file:
            file.write(end)
    except FileNotFoundError:
        pass


def bound_logs(directory: Path, largest: int) -> None:
    """Do so with each log in a directory; may be repeated. Raises OSError when the disk is full by then."""
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX) and entry.is_file(follow_symlinks=False):
                bound_log(Path(entry.path), largest)


def _set_aside(path: Path, most: int) -> bytes:
    """Keep the last bytes of a log beside it, and return its last whole lines."""
    private = os.open(_previous(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with path.open("rb") as log, os.fdopen(private, "wb") as kept:
        # Its writer may have made it as long as it likes, and mostly of holes.
        log.seek(max(0, log.seek(0, os.SEEK_END) - most))
        left = most
        while left and (part := log.read(min(left, _PART))):
            kept.write(part)
            left -= len(part)
        log.seek(max(0, log.seek(0, os.SEEK_END) - _KEPT))
        return log.read(_KEPT).partition(b"\n")[2]


def remove_logs(path: Path) -> None:
    """Remove the logs of a server that is deleted; may be repeated."""
    path.unlink(missing_ok=True)
    _previous(path).unlink(missing_ok=True)


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
