"""What /proc says about processes: their environment, CPU time and memory; and how to end them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.rigs.poll import until

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    """Return whether the process exists and is not a zombie."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """Return the user and system CPU seconds of all threads of one process; its children do not count."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of the process and all its descendants, those it has waited for included."""
    counters = (field for member in tree(pid) for field in _stat(member)[11:15])
    return sum(map(int, counters)) / TICKS


def pss(pid: int) -> int:
    """Return the proportional set size of one process in bytes: shared pages count by their share."""
    return _rolled_up(pid, "Pss:")


def heap(pid: int) -> int:
    """Return of that what is no file's: it does not change with who else on the machine runs Python."""
    return _rolled_up(pid, "Pss_Anon:")


def _rolled_up(pid: int, name: str) -> int:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no line {name}")


def tree(pid: int) -> list[int]:
    """Return `pid` and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for child in _pids():
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(child)[1]), []).append(child)
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, []))
    return found


def session(leader: int) -> list[int]:
    """Return the live processes of the session that `leader` began."""
    return find(lambda pid: _session(pid) == leader)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def command_line(pid: int) -> str:
    """Return the command line, blank between the words; empty when the process is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def environment(pid: int) -> dict[str, str]:
    """Return the environment that the process was started with; empty when it cannot be read."""
    try:
        text = (PROC / str(pid) / "environ").read_text(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def find(belongs: Callable[[int], bool]) -> list[int]:
    """Return the live processes, this one excepted, that `belongs` accepts."""
    return [pid for pid in _pids() if pid != os.getpid() and is_alive(pid) and belongs(pid)]


def works_below(pid: int, directory: Path) -> bool:
    """Return whether the process's working directory is `directory` or below it."""
    try:
        return Path(os.readlink(PROC / str(pid) / "cwd")).is_relative_to(directory)
    except OSError:
        return False


def end(pids: Iterable[int], grace: float = 5.0) -> None:
    """Ask the processes to stop, and kill those that have not after `grace` seconds."""
    pids = list(pids)
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    with contextlib.suppress(AssertionError):
        until(lambda: not any(map(is_alive, pids)), "processes to stop", timeout=grace)
    for pid in filter(is_alive, pids):
        _signal(pid, signal.SIGKILL)
    until(lambda: not any(map(is_alive, pids)), "killed processes to be gone")


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; the name before it may hold anything."""
    return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
