"""A process with all that it has started and that still runs, and what they use together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.process_table import running

_PROC = Path("/proc")
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


@dataclass(frozen=True, slots=True)
class _Line:
    parent: int
    ticks: int
    pages: int


def spent_by_tree(pid: int) -> Spent | None:
    """Return what a process and its descendants use, None when it is gone. Reads all of /proc."""
    table = {each: line for each in running() if (line := _look(each)) is not None}
    if pid not in table:
        return None
    members, found = {pid}, [pid]
    children: dict[int, list[int]] = {}
    for each, line in table.items():
        children.setdefault(line.parent, []).append(each)
    while found:
        new = [child for child in children.get(found.pop(), ()) if child not in members]
        members.update(new)
        found += new
    memory = sum(_memory(each, table[each]) for each in members)
    return Spent(memory, sum(table[each].ticks for each in members) / _TICKS, len(members))


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
