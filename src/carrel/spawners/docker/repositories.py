"""A repository got ready in a container, before the container's own command: pure functions.

The words stand where the image's entry point takes a command, so that an entry point which changes the user
does so before anything of the repository's runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from carrel.spawners.errors import StartError

_ROOT = ("root", "0")
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "csh", "tcsh"}
_SET_CMD = "The administrator has to say by c.DockerSpawner.cmd what starts a server."


def label_of(repository: Mapping[str, Any]) -> str:
    """Return what tells the containers of one repository from those of another; empty for none."""
    return f"{repository['repo']}#{repository.get('ref') or ''}" if repository else ""


def put_before(body: Mapping[str, Any], words: Sequence[str], image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of `POST /containers/create` with words before the command that it comes to.

    `image` is the configuration of its image. Raises StartError where no command is known that can follow the
    words, and for a container that settings start as root: it may become its user only later.
    """
    user = str(body.get("User") or "")
    if user.partition(":")[0] in _ROOT:
        raise StartError(
            "A container that starts as root is not started from a repository, whose code would run as root.",
            hint="The administrator has to take away run_as_root, or the user in"
            " c.DockerSpawner.extra_create_kwargs.",
        )
    # The engine's own rule: who sets an entry point does without the image's command.
    own = body.get("Entrypoint")
    entry = image.get("Entrypoint") if own is None else own
    command = body.get("Cmd") or ([] if own else image.get("Cmd")) or []
    if _is_shell(entry or []):
        raise StartError(
            "The image's entry point is a line of a shell, which runs no other command.",
            hint="The administrator has to write it as a list in the image, or set another one:"
            " c.DockerSpawner.extra_create_kwargs = {'entrypoint': […]}.",
        )
    if not command or command[0].startswith("-"):
        raise StartError("The image does not say by which command a server starts.", hint=_SET_CMD)
    return {**body, "Cmd": [*words, *command]}


def _is_shell(entry: Sequence[str]) -> bool:
    """Tell whether words are a shell's with `-c`, for which what follows is no command."""
    return any(
        PurePosixPath(word).name in _SHELLS and option.startswith("-") and option.endswith("c")
        for word, option in pairwise(entry)
    )
