"""What a server uses, in sentences for its owner."""

from __future__ import annotations

from collections.abc import Iterator

from carrel.spawners.reports import Usage

_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def usage_lines(usage: Usage) -> tuple[list[str], list[str]]:
    """Return what a server uses, and in sentences what it was refused; both may be empty."""
    return list(_used(usage)), list(_refused(usage))


def _used(usage: Usage) -> Iterator[str]:
    if usage.memory is not None:
        most = f" of {_size(usage.memory_limit)}" if usage.memory_limit else ""
        yield f"{_size(usage.memory)}{most} of memory"
    if usage.processes is not None and usage.process_limit:
        yield f"{usage.processes} of {usage.process_limit} processes and threads"


def _refused(usage: Usage) -> Iterator[str]:
    if usage.killed:
        what = "A program in it was" if usage.killed == 1 else f"{usage.killed} programs in it were"
        more = "more memory than the server may use" if usage.memory_limit else "memory and there was none"
        yield f"{what} killed: {'it' if usage.killed == 1 else 'they'} needed {more}."
    if usage.refused:
        yield "Programs in it could not start more processes: the server has as many as it may have, or had."


def _size(count: int) -> str:
    for unit, size in _UNITS:
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
