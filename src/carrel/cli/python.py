"""`carrel python`: Python, in which `jupyterhub` is Carrel's, for trying out plug-ins and configurations."""

from __future__ import annotations

import code
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from carrel.cli.exits import OK, UNEXPECTED, Refused

_USAGE = """carrel python [FILE | -c CODE | -m MODULE] [ARGUMENT ...]

Runs a file, a line or a module as `python` does, or a prompt without one. `import jupyterhub` gives what
plug-ins get inside the hub."""


def python(argv: Sequence[str]) -> int:
    """Run what `argv` names and return 0, or 1 after the traceback of what it raised.

    Raises SystemExit when that does, and Refused for words that make no sense.
    """
    try:
        _choose(list(argv))
    except Refused:
        raise
    except Exception:  # it is the traceback that its author wants to see
        traceback.print_exc()
        return UNEXPECTED
    return OK


def _choose(given: list[str]) -> None:
    if given[:1] in (["-h"], ["--help"]):
        print(_USAGE)
    elif not given:
        _prompt()
    elif given[0] in ("-c", "-m"):
        if len(given) < 2:
            raise Refused(
                f"carrel python: {'code' if given[0] == '-c' else 'a module'} must follow {given[0]}"
            )
        _run(given[0], given[1], given[2:])
    elif given[0].startswith("-") and given[0] != "-":
        raise Refused(f"carrel python knows -c and -m, not {given[0]}")
    else:
        _run("", given[0], given[1:])


def _prompt() -> None:
    if not sys.stdin.isatty():
        _execute(sys.stdin.read(), "<stdin>")
        return
    code.interact(banner=f"Python {sys.version.split()[0]}; jupyterhub is Carrel's", exitmsg="")


def _run(how: str, what: str, arguments: Sequence[str]) -> None:
    sys.argv = [what if how == "" else how, *arguments]
    if how == "-c":
        sys.path.insert(0, "")
        _execute(what, "<string>")
    elif how == "-m":
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif what == "-":
        _execute(sys.stdin.read(), "<stdin>")
    else:
        if not Path(what).exists():
            raise Refused(f"carrel python: there is no file {what}")
        sys.path.insert(0, str(Path(what).resolve().parent))
        runpy.run_path(what, run_name="__main__")


def _execute(source: str, name: str) -> None:
    exec(compile(source, name, "exec"), {"__name__": "__main__"})  # noqa: S102 - what it is for
