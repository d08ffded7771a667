"""The machine's table of processes: what is running under a pid, and whether that is who we think it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine, distinct from any later one with the same pid."""

    pid: int
    start_time: str
    """Opaque; two are equal only for the same start on the same boot."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What /proc shows of a pid."""

    start_time: str
    state: str
    parent: int
    group: int = 0
    """The process group, 0 where that is unknown."""


def find(pid: int) -> Process | None:
    """Return the process that has `pid` now, or None."""
    seen = look(pid) if pid > 0 else None
    return None if seen is None else Process(pid, seen.start_time)


def same(
    process: Process, seen: Sighting | None, labels: Mapping[str, str], environ: Mapping[str, str]
) -> bool:
    """Tell whether what is `seen` under the pid is `process` and not a later one with its number.

    `environ` may be empty or lack a label: programs overwrite that memory. A label with another value
    is proof of another process.
    """
    if seen is None or not process.start_time or seen.start_time != process.start_time:
        return False
    return all(environ.get(key, value) == value for key, value in labels.items())


def is_alive(process: Process, labels: Mapping[str, str] | None = None) -> bool:
    """Tell whether `process` runs; one that has ended and was not collected does not."""
    seen = look(process.pid)
    if seen is None or seen.state == "Z":
        return False
    return same(process, seen, labels or {}, environ_of(process.pid) if labels else {})


def look(pid: int) -> Sighting | None:
    """Return what is running under `pid`, or None when nothing is."""
    if not _BOOT_ID.exists():
        return _ask_ps(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return parse_stat(stat, _boot_id())


def parse_stat(stat: str, boot_id: str) -> Sighting:
    """Return a Sighting from one line of /proc/PID/stat; the name in it may hold spaces and brackets."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return Sighting(f"{fields[19]}@{boot_id}", state=fields[0], parent=int(fields[1]), group=int(fields[2]))


def _boot_id() -> str:
    # Ticks count from the boot; a machine that boots alike could repeat both pid and ticks.
    return _BOOT_ID.read_text().strip()[:8]


def _ask_ps(pid: int) -> Sighting | None:
    answer = subprocess.run(
        ["ps", "-o", "ppid=,pgid=,stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    fields = answer.stdout.split(maxsplit=3)
    if len(fields) < 4:
        return None
    return Sighting(fields[3].strip(), state=fields[2][0], parent=int(fields[0]), group=int(fields[1]))


def environ_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; empty when we may not see it."""
    return parse_environ(raw_environ(pid))


def raw_environ(pid: int) -> bytes:
    """Return that environment as the kernel has it, for a quick look whether a text is in it."""
    # Asked of every process of the machine, again and again: a Path for each would cost more than the read.
    try:
        with open(f"{_PROC}/{pid}/environ", "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def parse_environ(raw: bytes) -> dict[str, str]:
    """Return the variables in what `raw_environ` returned."""
    pairs = (entry.decode(errors="surrogateescape").partition("=") for entry in raw.split(b"\0") if entry)
    return {key: value for key, _, value in pairs}


def owner_of(pid: int) -> int | None:
    """Return the uid that a process has, real and effective alike; None for any other and when unknown."""
    try:
        status = (_PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("Uid:")), "")
    uids = set(line.split()[1:])
    return int(uids.pop()) if len(uids) == 1 else None


def users_of_file(path: Path) -> list[int]:
    """Return the pids of other processes that have a file open, as far as we may see that."""
    wanted = os.path.realpath(path)
    return [pid for pid in running() if pid != os.getpid() and _has_open(pid, wanted)]


def _has_open(pid: int, wanted: str) -> bool:
    try:
        descriptors = os.listdir(f"{_PROC}/{pid}/fd")
    except OSError:
        return False
    for descriptor in descriptors:
        with suppress(OSError):
            if os.readlink(f"{_PROC}/{pid}/fd/{descriptor}") == wanted:
                return True
    return False


def running() -> list[int]:
    """Return the pids of all processes that can be seen; empty without /proc."""
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()] if _BOOT_ID.exists() else []
