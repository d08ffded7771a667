"""`carrel backup [FILE]`, `carrel rollback [FILE]` and `carrel upgrade-db`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from carrel.app.backups import back_up_database, list_backups, roll_back_database, upgrade_database
from carrel.cli.exits import OK, Refused
from carrel.config.arguments import Arguments, BadArguments, parse_arguments
from carrel.config.load import load_arguments
from carrel.config.schema import Settings, without_password
from carrel.lib.clock import isoformat
from carrel.lib.logging import configure
from carrel.storage.backups import Backup

BACKUP_USAGE = """\
usage: carrel backup [FILE] [-f CONFIG] [--db URL]

Copy the database while hubs go on using it, to FILE or to one beside the database that is named for the time.
"""
ROLLBACK_USAGE = """\
usage: carrel rollback [FILE] [--yes] [-f CONFIG] [--db URL]

Put a copy of the database back: FILE, or one of those beside the database, which are listed.
What is there now is kept beside it. Hubs must have been stopped. --yes asks nothing.
"""
UPGRADE_USAGE = """\
usage: carrel upgrade-db [--no-backup] [-f CONFIG] [--db URL]

Upgrade the database, after a backup, as a start of the hub does by itself.
--no-backup makes none: for a database that is backed up otherwise.
"""


def backup(argv: Sequence[str]) -> int:
    """Make a copy and print where it is."""
    if _asks_for_help(argv, BACKUP_USAGE):
        return OK
    arguments, settings = _load(argv, "carrel backup")
    word = _only_word(arguments)
    target = None if word is None else Path(word).absolute()
    if target is not None and target.exists():
        raise Refused(f"{target} exists already: name a new file")
    print(back_up_database(settings, target))
    return OK


def rollback(argv: Sequence[str]) -> int:
    """Put a copy back, once whoever is at the terminal, or `--yes`, has said so."""
    if _asks_for_help(argv, ROLLBACK_USAGE):
        return OK
    sure = "--yes" in argv or "-y" in argv
    arguments, settings = _load([each for each in argv if each not in ("--yes", "-y")], "carrel rollback")
    word = _only_word(arguments)
    copy = Path(word).absolute() if word is not None else _choose(list_backups(settings), sure)
    if copy is None:
        return OK
    name = without_password(settings.db_url)
    if not sure and not _agrees(
        f"Make {name} what {copy.name} holds? All that was done since is set aside. [y/N] "
    ):
        return OK
    aside, revision = roll_back_database(settings, copy)
    print(f"{name} is what {copy.name} holds (schema {revision}); what it was is in {aside}.")
    print(
        "A release with a newer schema upgrades it again at its start: install the one that you want first."
    )
    return OK


def upgrade_db(argv: Sequence[str]) -> int:
    """Upgrade the database and say so."""
    if _asks_for_help(argv, UPGRADE_USAGE):
        return OK
    _, settings = _load([each for each in argv if each != "--no-backup"], "carrel upgrade-db")
    upgrade_database(settings, back_up="--no-backup" not in argv)
    print(f"{without_password(settings.db_url)} has the schema of this release.")
    return OK


def _load(argv: Sequence[str], program: str) -> tuple[Arguments, Settings]:
    arguments = parse_arguments(argv, program)
    settings = load_arguments(arguments, Path.cwd(), os.environ).settings
    configure("DEBUG" if arguments.debug else "WARNING")
    return arguments, settings


def _only_word(arguments: Arguments) -> str | None:
    if len(arguments.words) > 1:
        raise BadArguments(f"one file, not {' '.join(arguments.words)}")
    return arguments.words[0] if arguments.words else None


def _choose(found: Sequence[Backup], sure: bool) -> Path | None:
    """Return the copy that is chosen from the list, None for none of them."""
    if not found:
        raise Refused("there is no backup beside the database: name the file of one")
    for number, each in enumerate(found, 1):
        made = isoformat(each.made)[:19]
        print(f"{number:3}  {made}  {each.occasion}  schema {each.revision}  {each.path.name}")
    if sure:
        raise Refused("name the file of the backup with --yes: which one is meant is not guessed")
    answer = _ask(f"Which one? [1-{len(found)}, Enter for none] ")
    if not answer:
        return None
    if not answer.isdecimal() or not 1 <= int(answer) <= len(found):
        raise Refused(f"{answer!r} is none of them")
    return found[int(answer) - 1].path


def _agrees(question: str) -> bool:
    return _ask(question).lower() in ("y", "yes")


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise Refused("nobody is at the terminal to ask: name the file of a backup, and say --yes")
    return input(question).strip()


def _asks_for_help(argv: Sequence[str], usage: str) -> bool:
    if "--help" not in argv and "-h" not in argv:
        return False
    print(usage, end="")
    return True
