"""Control groups of version 1: a tree of directories for each controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from carrel.lib.control_groups.files import PERIOD, Reading, Value, quota, read_number, read_table
from carrel.lib.control_groups.limits import Limits

_SHARES_OF_ONE = 1024
_LEAST_SHARES = 2
#: A limit of memory that is none: the kernel rounds the largest number down to pages.
_NO_LIMIT = 2**62
#: Which part of its limit a group uses when the kernel, which counts in batches, gives it no more.
_FULL = 0.95
#: What is counted where it can be, besides what is limited.
COUNTED = ("memory", "cpuacct", "pids")


def values(limits: Limits) -> Iterator[Value]:
    """Yield what has to be written, in this order."""
    if limits.memory is not None:
        text = str(limits.memory)
        yield Value("memory", "memory", "memory.limit_in_bytes", text)
        # Memory and swap together: what exceeds the limit may not go to the disk instead. Kernels that do not
        # count swap can at least be told to leave it.
        yield Value("memory", "memory", "memory.memsw.limit_in_bytes", text, needed=False)
        yield Value("memory", "memory", "memory.swappiness", "0", needed=False)
    if limits.memory_guarantee is not None:
        text = str(limits.memory_guarantee)
        yield Value("memory_guarantee", "memory", "memory.soft_limit_in_bytes", text)
    if limits.cpu is not None:
        yield Value("cpu", "cpu", "cpu.cfs_period_us", str(PERIOD))
        yield Value("cpu", "cpu", "cpu.cfs_quota_us", str(quota(limits.cpu)))
    if limits.cpu_guarantee is not None:
        shares = max(_LEAST_SHARES, round(limits.cpu_guarantee * _SHARES_OF_ONE))
        yield Value("cpu_guarantee", "cpu", "cpu.shares", str(shares))
    if limits.pids is not None:
        yield Value("pids", "pids", "pids.max", str(limits.pids))


def read(places: Mapping[str, Path]) -> Reading:
    """Return what a group has used; `places` are its directories by controller."""
    memory, pids = places.get("memory"), places.get("pids")
    used = read_number(memory / "memory.usage_in_bytes") if memory else None
    if memory is not None and used is not None:
        used = max(0, used - read_table(memory / "memory.stat").get("total_inactive_file", 0))
    nanoseconds = read_number(places["cpuacct"] / "cpuacct.usage") if "cpuacct" in places else None
    return Reading(
        memory=used,
        cpu=None if nanoseconds is None else nanoseconds / 1e9,
        pids=read_number(pids / "pids.current") if pids else None,
        killed=read_table(memory / "memory.oom_control").get("oom_kill", 0) if memory else 0,
        at_limit=memory is not None and _was_full(memory),
        refused=read_table(pids / "pids.events").get("max", 0) if pids else 0,
    )


def _was_full(memory: Path) -> bool:
    # The counter of failures is not kept by every kernel.
    most = read_number(memory / "memory.max_usage_in_bytes")
    limit = read_number(memory / "memory.limit_in_bytes")
    return most is not None and limit is not None and most >= limit * _FULL


def in_force(places: Mapping[str, Path]) -> Limits:
    """Return the hard limits that a group has."""
    memory, cpu, pids = (places.get(name) for name in ("memory", "cpu", "pids"))
    spent = read_number(cpu / "cpu.cfs_quota_us") if cpu else None
    period = read_number(cpu / "cpu.cfs_period_us") if cpu else None
    most = read_number(memory / "memory.limit_in_bytes") if memory else None
    return Limits(
        memory=most if most is not None and most < _NO_LIMIT else None,
        cpu=spent / period if spent and spent > 0 and period else None,
        pids=read_number(pids / "pids.max") if pids else None,
    )
