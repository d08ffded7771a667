"""`carrel import-jupyterhub [URL]` and `carrel export-jupyterhub URL`: the way in, and the way back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from carrel.app.takeover import ImportRefused, ImportWish
from carrel.cli.exits import OK
from carrel.config.arguments import BadArguments, parse_arguments
from carrel.config.load import load_arguments
from carrel.config.schema import Settings
from carrel.lib.logging import configure

USAGE = """\
usage: carrel import-jupyterhub [URL] [--dry-run] [--replace] [--no-auth-state] [-f FILE] [--db URL]

Take over a JupyterHub database: users, groups, roles, tokens, shares, services, log-ins and running servers.
URL is that of JupyterHub's db_url (sqlite:///jupyterhub.sqlite when left out), and is only read.
With --dry-run nothing is written, and the report says what would be.
--replace      first remove all that Carrel's database holds
--no-auth-state  leave behind what JupyterHub's authenticator kept, encrypted, of users
"""
EXPORT_USAGE = """\
usage: carrel export-jupyterhub URL [-f FILE] [--db URL]

Write a new database that JupyterHub 6.1 starts on, with the same configuration: the way back.
URL is what its db_url will be (sqlite:///FILE, or an empty database: postgresql://USER@HOST/NAME).
"""
_DEFAULT = "sqlite:///jupyterhub.sqlite"
_SWITCHES = {"--dry-run", "--replace", "--no-auth-state"}


def import_jupyterhub(argv: Sequence[str], run: Callable[[Settings, ImportWish], list[str]]) -> int:
    """Import what `argv` says, and print the report; raise StorageError when nothing could be."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return OK
    given = set(argv) & _SWITCHES
    arguments = parse_arguments([each for each in argv if each not in _SWITCHES], "carrel import-jupyterhub")
    if len(arguments.words) > 1:
        raise BadArguments(f"carrel import-jupyterhub takes one URL, not {' '.join(arguments.words)}")
    settings = load_arguments(arguments, Path.cwd(), os.environ).settings
    configure("DEBUG" if arguments.debug else "WARNING")
    wish = ImportWish(
        url=arguments.words[0] if arguments.words else _DEFAULT,
        dry_run="--dry-run" in given,
        replace="--replace" in given,
        keep_auth_state="--no-auth-state" not in given,
    )
    try:
        lines = run(settings, wish)
    except ImportRefused as error:
        print("\n".join(error.report.lines()), file=sys.stderr)
        raise
    print("\n".join(lines))
    return OK


def export_jupyterhub(argv: Sequence[str], run: Callable[[Settings, str], list[str]]) -> int:
    """Export to the URL that `argv` names, and print what is to be said; raise StorageError otherwise."""
    if "--help" in argv or "-h" in argv:
        print(EXPORT_USAGE, end="")
        return OK
    arguments = parse_arguments(argv, "carrel export-jupyterhub")
    if len(arguments.words) != 1:
        raise BadArguments("carrel export-jupyterhub takes one URL: that of the database to make")
    settings = load_arguments(arguments, Path.cwd(), os.environ).settings
    configure("DEBUG" if arguments.debug else "WARNING")
    print("\n".join(run(settings, arguments.words[0])))
    return OK
