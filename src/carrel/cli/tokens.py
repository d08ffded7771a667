"""`carrel token [NAME]`: make an API token and print it."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from carrel.cli.exits import Refused
from carrel.config.arguments import BadArguments, parse_arguments
from carrel.config.load import load_arguments
from carrel.config.schema import Settings
from carrel.domain.errors import NotFound
from carrel.lib.logging import configure

USAGE = """\
usage: carrel token [NAME] [-f FILE] [--db URL]

Print a new API token of user NAME (by default the one who runs the command), and nothing else.
"""


def token(argv: Sequence[str], issue_token: Callable[[Settings, str], str]) -> int:
    """Print a token for the user whom `argv` names; raise Refused when there is no such user."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return 0
    arguments = parse_arguments(argv, "carrel token")
    if len(arguments.words) > 1:
        raise BadArguments(f"carrel token takes one name, not {' '.join(arguments.words)}")
    name = arguments.words[0] if arguments.words else getpass.getuser()
    settings = load_arguments(arguments, Path.cwd(), os.environ).settings
    configure("DEBUG" if arguments.debug else "WARNING")
    try:
        print(issue_token(settings, name))
    except NotFound:
        raise Refused(f"No such user: {name}") from None
    return 0
