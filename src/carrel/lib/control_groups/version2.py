"""Control groups of version 2: one tree of directories, with controllers handed down level by level.

A group that hands controllers down holds no processes of its own, except the root of the whole tree.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from carrel.lib.control_groups.files import (
    PERIOD,
    Reading,
    Value,
    quota,
    read_number,
    read_table,
    read_text,
)
from carrel.lib.control_groups.limits import Limits

_WEIGHT_OF_ONE = 100
_HEAVIEST = 10_000
#: Where processes go that were in a group which has to hand controllers down.
_RESIDENTS = "carrel.hub"


def values(limits: Limits) -> Iterator[Value]:
    """Yield what has to be written, in this order."""
    if limits.memory is not None:
        yield Value("memory", "memory", "memory.max", str(limits.memory))
        # What exceeds memory may not go to the disk instead: the limit would only make it slow.
        yield Value("memory", "memory", "memory.swap.max", "0", needed=False)
    if limits.memory_guarantee is not None:
        yield Value("memory_guarantee", "memory", "memory.low", str(limits.memory_guarantee))
    if limits.cpu is not None:
        yield Value("cpu", "cpu", "cpu.max", f"{quota(limits.cpu)} {PERIOD}")
    if limits.cpu_guarantee is not None:
        weight = min(_HEAVIEST, max(1, round(limits.cpu_guarantee * _WEIGHT_OF_ONE)))
        yield Value("cpu_guarantee", "cpu", "cpu.weight", str(weight))
    if limits.pids is not None:
        yield Value("pids", "pids", "pids.max", str(limits.pids))


def offered(directory: Path) -> frozenset[str]:
    """Return the controllers that a group could hand down."""
    return frozenset(read_text(directory / "cgroup.controllers").split())


def may_hand_down(directory: Path, wanted: Collection[str]) -> bool:
    """Tell whether a group hands these controllers down or could be told to, without trying."""
    control = directory / "cgroup.subtree_control"
    told = set(wanted) <= set(read_text(control).split()) or os.access(control, os.W_OK)
    return set(wanted) <= offered(directory) and told and os.access(directory, os.W_OK)


def hand_down(directory: Path, wanted: Collection[str], *, own: bool) -> None:
    """Let the groups below a directory have these controllers; may be repeated. Raises OSError.

    When it is our `own` group that has to become empty for it, we and our neighbours move into one below.
    """
    control = directory / "cgroup.subtree_control"
    missing = [name for name in wanted if name not in read_text(control).split()]
    if not missing:
        return
    text = " ".join(f"+{name}" for name in missing)
    try:
        control.write_text(text)
    except OSError as error:
        if error.errno != errno.EBUSY or not own:
            raise
        _move_out(directory)
        control.write_text(text)


def _move_out(directory: Path) -> None:
    inner = directory / _RESIDENTS
    inner.mkdir(exist_ok=True)
    # One that has ended meanwhile is no matter; one that may not be moved shows when the controllers are not.
    for pid in read_text(directory / "cgroup.procs").split():
        with contextlib.suppress(OSError):
            (inner / "cgroup.procs").write_text(pid)


def protect(parent: Path, mount: Path, wanted: int) -> int:
    """Let the groups below `parent` keep what they are guaranteed; return how much its ancestors let through.

    A group's guarantee counts only as far as those above have one too.
    """
    (parent / "memory.low").write_text("max")
    least = wanted
    above = parent.parent
    while above != mount and mount in above.parents:
        least = min(least, read_number(above / "memory.low") or _unbounded(above, wanted))
        above = above.parent
    return least


def _unbounded(directory: Path, wanted: int) -> int:
    return wanted if read_text(directory / "memory.low").strip() == "max" else 0


def read(place: Path) -> Reading:
    """Return what a group has used."""
    events = read_table(place / "memory.events")
    used = read_number(place / "memory.current")
    if used is not None:
        used = max(0, used - read_table(place / "memory.stat").get("inactive_file", 0))
    microseconds = read_table(place / "cpu.stat").get("usage_usec")
    return Reading(
        memory=used,
        cpu=None if microseconds is None else microseconds / 1e6,
        pids=read_number(place / "pids.current"),
        killed=events.get("oom_kill", 0),
        at_limit=events.get("oom", 0) > 0,
        refused=read_table(place / "pids.events").get("max", 0),
    )


def in_force(place: Path) -> Limits:
    """Return the hard limits that a group has."""
    spent, _, period = read_text(place / "cpu.max").strip().partition(" ")
    return Limits(
        memory=read_number(place / "memory.max"),
        cpu=int(spent) / int(period) if spent.isdecimal() and period.isdecimal() else None,
        pids=read_number(place / "pids.max"),
    )
