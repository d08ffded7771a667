"""The file by which whoever started the process learns its ports, and later whether it is still the same."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec


class ProcessStatus(msgspec.Struct, frozen=True):
    """A running process and its listeners.

    `start_ticks` is what /proc/PID/stat says of the process's start (field 22), None without /proc: together
    with the process id it names this process and no later one. `started` is in seconds since the epoch.
    """

    pid: int
    start_ticks: int | None
    started: float
    public_port: int
    api_port: int
    public_url: str
    api_url: str


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it is gone or there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def write_status(path: Path, status: ProcessStatus) -> None:
    """Write the file so that a reader sees the old or the new content, also after a crash; raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(status))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def read_status(path: Path) -> ProcessStatus | None:
    """Return what the file says, None when it is missing or not such a file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProcessStatus)
    except (OSError, msgspec.DecodeError):
        return None


def remove_status(path: Path) -> None:
    """Remove the file unless another process has written it since."""
    status = read_status(path)
    if status is not None and status.pid == os.getpid():
        path.unlink(missing_ok=True)


def write_pid(path: Path) -> None:
    """Write this process's id; raises OSError."""
    path.write_text(f"{os.getpid()}\n", encoding="ascii")


def remove_pid(path: Path) -> None:
    """Remove the file unless another process has written it since."""
    try:
        if path.read_text(encoding="ascii").strip() == str(os.getpid()):
            path.unlink()
    except (OSError, UnicodeDecodeError):
        return
