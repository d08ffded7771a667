"""Console scripts: which interpreter runs one, and whether it is one that a template may run instead."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_LONGEST_FIRST_LINE = 1024


class Obstacle(StrEnum):
    """What kind of thing stands in the way of a warm start, for the metrics."""

    COMMAND = "command"
    """The command is no script of those that a template knows."""
    SETTINGS = "settings"
    """Something is set that only a new process can have."""
    TEMPLATE = "template"
    """The template cannot be made, or its children are not what they should be."""
    TOO_MANY_TEMPLATES = "too-many-templates"
    NOT_READY = "not-ready"
    """The template is being made."""
    REFUSED = "refused"
    """The template cannot make this server what a new process would be."""
    NO_ANSWER = "no-answer"
    """The template has ended."""


class NoWarmStart(Exception):
    """Why something has to be started the usual way: in words for the log, and of what kind that is."""

    def __init__(self, reason: str, obstacle: Obstacle) -> None:
        super().__init__(reason)
        self.obstacle = obstacle


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
        raise NoWarmStart(f"the command {program} is none of {', '.join(names)}", Obstacle.COMMAND)
    path = program if program.startswith("/") else shutil.which(program, path=env.get("PATH", os.defpath))
    if path is None or not path.startswith("/"):
        raise NoWarmStart(f"the command {program} has no full path", Obstacle.COMMAND)
    return Script(path, _interpreter(path))


def _interpreter(path: str) -> str:
    try:
        with open(path, "rb") as file:
            first = file.readline(_LONGEST_FIRST_LINE)
    except OSError as error:
        raise NoWarmStart(f"{path} cannot be read: {error.strerror}", Obstacle.COMMAND) from None
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if len(words) != 1 or not os.path.basename(words[0]).startswith("python") or not words[0].startswith("/"):
        raise NoWarmStart(f"the first line of {path} is not just the path of a Python", Obstacle.COMMAND)
    return words[0]
