"""`carrel jupyterhub-command`: have the command `jupyterhub` run Carrel, for who calls it by that name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from carrel.cli.exits import OK, Refused
from carrel.config.arguments import BadArguments

NAME = "jupyterhub"
USAGE = """\
usage: carrel jupyterhub-command [DIRECTORY] [--remove]

Make a command `jupyterhub` that runs Carrel, beside `carrel` or in DIRECTORY; `--remove` takes it away again.
Refused where JupyterHub is installed, or where something else has that name.
"""
_MARK = "# Made by `carrel jupyterhub-command`."
_SCRIPT = """\
#!{python}
{mark}
import sys

from carrel.cli.main import main

sys.exit(main())
"""


def jupyterhub_command(argv: Sequence[str]) -> int:
    """Make the command or take it away, and return 0; may be repeated.

    Raises Refused where the name is somebody else's, or the directory cannot be written.
    """
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return OK
    words = [word for word in argv if word != "--remove"]
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise BadArguments(f"carrel jupyterhub-command takes one directory, not {' '.join(words)}")
    file = (Path(words[0]) if words else Path(sys.executable).parent) / NAME
    ours = _is_ours(file)
    try:
        if "--remove" in argv:
            file.unlink(missing_ok=True)
            print(f"{file} is gone")
            return OK
        _refuse_beside_the_real_one(in_its_place=not words)
        if not ours:
            # Never over a file that came in between.
            file.open("x").close()
        file.write_text(_SCRIPT.format(python=sys.executable, mark=_MARK))
        file.chmod(0o755)
    except OSError as error:
        raise Refused(f"{file}: {error.strerror or error}") from None
    print(f"{file} runs Carrel")
    return OK


def _is_ours(file: Path) -> bool:
    """Tell whether we made the file; raise Refused when somebody else did."""
    if not (file.exists() or file.is_symlink()):
        return False
    if file.is_symlink() or not file.is_file() or _MARK not in file.read_text(errors="replace"):
        raise Refused(f"{file} is something else's and was left as it is")
    return True


def _refuse_beside_the_real_one(*, in_its_place: bool) -> None:
    try:
        version = distribution(NAME).version
    except PackageNotFoundError:
        return
    if in_its_place:
        raise Refused(
            f"JupyterHub {version} is installed here, and the command is its own: name a directory "
            "that stands before it in PATH, or uninstall it"
        )
