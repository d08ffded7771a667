"""Whether a hub that is root may have the packages of an environment imported with its own rights.

A template imports them as the hub's account, before it becomes anybody else: whoever may write there would be
root. The hub's own environment is not asked about: the hub itself is imported from it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def who_else_writes(interpreter: str) -> str:
    """Return a path of this interpreter's that others than root may change; empty when there is none."""
    if Path(interpreter).parents[1] == Path(sys.prefix):
        return ""
    return next((str(path) for path in _paths(interpreter) if _is_open(path)), "")


def _paths(interpreter: str) -> Iterator[Path]:
    for program in dict.fromkeys((Path(interpreter), Path(os.path.realpath(interpreter)))):
        yield program
        yield from program.parents
        for library in sorted(program.parents[1].glob("lib*/python3*")):
            yield library
            for packages in ("site-packages", "dist-packages"):
                if (library / packages).is_dir():
                    yield library / packages
                    yield from (library / packages).iterdir()


def _is_open(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    # In a directory like /tmp only its owner may replace a file.
    shared = found.st_mode & _OTHERS and not (path.is_dir() and found.st_mode & stat.S_ISVTX)
    return found.st_uid != 0 or bool(shared)
