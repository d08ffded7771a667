"""Console scripts: which interpreter runs one, and whether it is one that a template may run instead."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_LONGEST_FIRST_LINE = 1024


class NoWarmStart(Exception):
    """Why something has to be started the usual way; for the log."""


@dataclass(frozen=True, slots=True)
class Script:
    """A console script and who runs it."""

    path: str
    interpreter: str
    """As its first line names it: the program's own name, and thus its environment, follow from that."""


def find_script(words: Sequence[str], env: Mapping[str, str], names: Collection[str]) -> Script:
    """Return the script that a command starts; raises NoWarmStart when it has none of these `names`."""
    program = words[0] if words else ""
    if os.path.basename(program) not in names:
        raise NoWarmStart(f"the command {program} is none of {', '.join(names)}")
    path = program if program.startswith("/") else shutil.which(program, path=env.get("PATH", os.defpath))
    if path is None or not path.startswith("/"):
        raise NoWarmStart(f"the command {program} has no full path")
    return Script(path, _interpreter(path))


def _interpreter(path: str) -> str:
    try:
        with open(path, "rb") as file:
            first = file.readline(_LONGEST_FIRST_LINE)
    except OSError as error:
        raise NoWarmStart(f"{path} cannot be read: {error.strerror}") from None
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if len(words) != 1 or not os.path.basename(words[0]).startswith("python") or not words[0].startswith("/"):
        raise NoWarmStart(f"the first line of {path} is not just the path of a Python")
    return words[0]
