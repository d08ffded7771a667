"""From the command line to a running server."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from carrel_client import __version__
from carrel_client.auth.environment import EnvironmentProblem
from carrel_client.singleuser.environment import read_environment

if TYPE_CHECKING:
    from carrel_client.singleuser.app import SingleUserServer

_INSTALL = "pip install 'carrel-client[lab]', or [singleuser] for a server without JupyterLab"


def run(argv: Sequence[str] | None) -> None:
    """Configure the server from the environment and run it; see `carrel_client.singleuser.main`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--version" in arguments:
        sys.stdout.write(f"{__version__}\n")
        return
    if {"-h", "--help", "--help-all"} & set(arguments):
        _show_help(arguments)
        return
    try:
        environment = read_environment(os.environ)
    except EnvironmentProblem as problem:
        sys.stderr.write(f"carrel-singleuser: {problem}\n")
        raise SystemExit(1) from None
    # Imported this late so that a missing variable is told at once, not after two seconds of imports.
    _server_class().launch_instance(arguments, environment=environment)


def _show_help(arguments: list[str]) -> None:
    _server_class().launch_instance(arguments)


def _server_class() -> type[SingleUserServer]:
    try:
        from carrel_client.singleuser.app import SingleUserServer
    except ModuleNotFoundError as problem:
        if problem.name not in {"jupyter_core", "jupyter_server", "tornado", "traitlets"}:
            raise
        sys.stderr.write(f"carrel-singleuser: {problem.name} is missing: {_INSTALL}\n")
        raise SystemExit(1) from None
    return SingleUserServer
