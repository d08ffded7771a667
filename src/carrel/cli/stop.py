"""`carrel stop [--all]`: stop a running hub, and with `--all` servers and data plane too."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from carrel.cli.exits import NOTHING_TO_STOP, OK
from carrel.config.load import load
from carrel.config.schema import Settings
from carrel.lib.logging import configure

USAGE = """\
usage: carrel stop [--all] [-f FILE]

Stop the hub of this configuration; users' servers and the data plane keep running.
With --all they stop too.
"""


def stop(argv: Sequence[str], stop_hub: Callable[[Settings, bool], list[str]]) -> int:
    """Stop what `argv` says, print what was done, and return an exit code of its own for nothing."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return OK
    settings = load([arg for arg in argv if arg != "--all"], Path.cwd(), os.environ).settings
    configure("DEBUG" if "--debug" in argv else "WARNING")
    lines = stop_hub(settings, "--all" in argv)
    for line in lines:
        print(line)
    if not lines:
        print("carrel: there is nothing to stop", file=sys.stderr)
        return NOTHING_TO_STOP
    return OK
