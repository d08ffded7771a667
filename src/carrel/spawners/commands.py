"""Finding the program that a command names, before anything is started."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from carrel.spawners.errors import StartError


def path_with(program: str, env: Mapping[str, str]) -> str:
    """Return the PATH on which `program` is found: that of `env`, behind the hub's own programs if need be.

    A program with a slash in it is not looked for. Raises StartError when it is nowhere or cannot run.
    """
    path = env.get("PATH", os.defpath)
    if "/" in program:
        if program.startswith("/") and not os.access(program, os.X_OK):
            raise StartError(f"The command {program} does not exist or is not executable.", hint=_HINT)
        _check_interpreter(program)
        return path
    if shutil.which(program, path=path):
        return path
    own = str(Path(sys.executable).parent)
    if shutil.which(program, path=own):
        return f"{own}{os.pathsep}{path}"
    raise StartError(f"The command {program} was not found on the PATH {own}{os.pathsep}{path}.", hint=_HINT)


def _check_interpreter(program: str) -> None:
    """Raise StartError when the first line of a script names a program that is not there."""
    try:
        with open(program, "rb") as file:
            first = file.readline(256)
    except OSError:
        return
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if words and words[0].startswith("/") and not Path(words[0]).exists():
        raise StartError(
            f"The first line of {program} names a program that is not there: {words[0]}.",
            hint="Install its package anew: its environment was moved, or made on another machine.",
        )


_HINT = "Install it where the hub runs, or set c.Spawner.cmd to the full path of what starts a server."
