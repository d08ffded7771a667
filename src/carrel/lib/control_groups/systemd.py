"""Scopes of systemd: where it runs, groups are its to make."""

from __future__ import annotations

import math
import os
import subprocess
from pathlib import Path

from carrel.lib.control_groups.limits import NO_LIMITS, Limits

_RUNS = Path("/run/systemd/system")
_USER_BUS = "/run/user/{uid}/bus"
_CALL_LIMIT = 5.0
_USUAL_WEIGHT = 100


def runs() -> bool:
    """Tell whether systemd is this machine's first process."""
    return _RUNS.is_dir()


def answers(*, root: bool) -> bool:
    """Tell whether there is a systemd that this process may ask: the machine's, or its user's own."""
    if not runs():
        return False
    bus = Path(_USER_BUS.format(uid=os.geteuid()))
    return root or "DBUS_SESSION_BUS_ADDRESS" in os.environ or bus.exists()


def scope_name(pid: int, name: str) -> str:
    """Return what the scope of a process is called."""
    return f"{name}-{pid}.scope"


def scope_call(pid: int, name: str, *, root: bool, limits: Limits = NO_LIMITS) -> list[str]:
    """Return the command that has systemd put a running process into a new scope with these limits.

    `systemd-run --scope` cannot do that: it would have to start the process, after it lost the rights to ask.
    """
    manager = "org.freedesktop.systemd1"
    properties = [
        ("PIDs", "au", "1", str(pid)),
        ("CollectMode", "s", "inactive-or-failed"),
        *_properties(limits),
    ]
    words = [word for each in properties for word in each]
    return [
        *("busctl", *([] if root else ["--user"]), "--quiet", "call"),
        *(manager, "/org/freedesktop/systemd1", f"{manager}.Manager", "StartTransientUnit"),
        *("ssa(sv)a(sa(sv))", scope_name(pid, name), "fail", str(len(properties)), *words, "0"),
    ]


def make_scope(pid: int, name: str, *, root: bool, limits: Limits = NO_LIMITS) -> None:
    """Put a process into a new scope; raise OSError with the reason when systemd does not do it.

    It may do so a moment after it said that it would.
    """
    command = scope_call(pid, name, root=root, limits=limits)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CALL_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise OSError("systemd does not answer") from None
    if done.returncode != 0:
        raise OSError(done.stderr.strip() or f"busctl ended with status {done.returncode}")


def _properties(limits: Limits) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    if limits.memory is not None:
        # Of what exceeds memory, nothing may go to the disk instead: the limit would only make it slow.
        found += [("MemoryMax", "t", str(limits.memory)), ("MemorySwapMax", "t", "0")]
    if limits.memory_guarantee is not None:
        found.append(("MemoryLow", "t", str(limits.memory_guarantee)))
    if limits.cpu is not None:
        found.append(("CPUQuotaPerSecUSec", "t", str(math.ceil(limits.cpu * 1_000_000))))
    if limits.cpu_guarantee is not None:
        weight = min(10_000, max(1, round(limits.cpu_guarantee * _USUAL_WEIGHT)))
        found.append(("CPUWeight", "t", str(weight)))
    if limits.pids is not None:
        found.append(("TasksMax", "t", str(limits.pids)))
    if found:
        # Without it systemd ends the whole scope when the kernel has killed one process of it.
        found.append(("Delegate", "b", "true"))
        # What is not counted cannot be told.
        found += [("MemoryAccounting", "b", "true"), ("CPUAccounting", "b", "true")]
    return found
