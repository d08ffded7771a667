"""A process with all that it has started and that still runs, and what they use together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.process_table import running

_PROC = Path("/proc")
_CHILDREN = _PROC / "thread-self" / "children"
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a tree of processes uses."""

    memory: int
    """Bytes; what several share is counted once, where we may see that."""
    cpu: float
    """Seconds, with those of children that have ended."""
    processes: int


def spent_by_tree(pid: int) -> Spent | None:
    """Return what a process and its descendants use, None when it is gone."""
    seen = {each: line for each in _members(pid) if (line := _look(each)) is not None}
    if pid not in seen:
        return None
    memory = sum(_memory(each, line) for each, line in seen.items())
    return Spent(memory, sum(line.ticks for line in seen.values()) / _TICKS, len(seen))


@dataclass(frozen=True, slots=True)
class _Line:
    parent: int
    ticks: int
    pages: int


def _members(pid: int) -> set[int]:
    children = _children if _CHILDREN.exists() else _children_in(_table())
    members, found = {pid}, [pid]
    while found:
        new = [child for child in children(found.pop()) if child not in members]
        members.update(new)
        found += new
    return members


def _children(pid: int) -> list[int]:
    """Return the children of a process; each of its threads has its own."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"{_PROC}/{pid}/task"):
            with suppress(OSError):
                found += map(int, (_PROC / str(pid) / "task" / thread / "children").read_text().split())
    return found


def _children_in(table: Mapping[int, int]) -> Callable[[int], list[int]]:
    """Return how to look up children in a table of parents."""
    children: dict[int, list[int]] = {}
    for pid, parent in table.items():
        children.setdefault(parent, []).append(pid)
    return lambda pid: children.get(pid, [])


def _table() -> dict[int, int]:
    """Return the parents of all processes, for kernels that do not list children."""
    return {pid: line.parent for pid in running() if (line := _look(pid)) is not None}


def _look(pid: int) -> _Line | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return _Line(int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]))


def _memory(pid: int, line: _Line) -> int:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return line.pages * _PAGE
    shares = (each.split() for each in text.splitlines() if each.startswith("Pss:"))
    return sum(int(words[1]) * 1024 for words in shares)
