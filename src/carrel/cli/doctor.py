"""`carrel doctor WHAT`: look at what the hub stands on, and say what to change. It changes nothing itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from carrel.cli.exits import OK, UNEXPECTED
from carrel.config.arguments import BadArguments
from carrel.config.load import load
from carrel.config.schema import Settings
from carrel.lib.findings import Finding, Verdict

USAGE = """\
usage: carrel doctor sudo [USER] [-f FILE]
       carrel doctor sudo --rule [--account HUB] [--group GROUP]
       carrel doctor sudo --policy [--group GROUP]
       carrel doctor sudo --helper

Say whether SudoSpawner can start servers, what is missing and what to change; run it as the hub's account.
USER is somebody to try it with, by a harmless request. --rule, --policy and --helper print what belongs into
/etc/sudoers.d/carrel, the policy and the helper. Exit code: 0 when all is well, 1 when something is wrong.
"""
_VALUES = ("--account", "--group")
_PRINTS = ("--rule", "--policy", "--helper")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to know."""

    user: str = ""
    account: str = ""
    group: str = ""
    prints: str = ""
    """The option that asks for a file's text, empty for an examination."""


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a hub that can be examined."""

    examine: Callable[[Settings, Wish], Iterable[Finding]]
    text: Callable[[Settings, Wish], str]
    """What a file is to hold."""


def doctor(argv: Sequence[str], checks: Mapping[str, Check]) -> int:
    """Print what a check finds, or a file's text; return 1 when something is wrong, else 0."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return OK
    if not argv or argv[0] not in checks:
        raise BadArguments(f"carrel doctor takes one of: {', '.join(checks)}")
    wish, rest = _wish(argv[1:])
    settings = load(rest, Path.cwd(), os.environ).settings
    check = checks[argv[0]]
    if wish.prints:
        print(check.text(settings, wish), end="")
        return OK
    return _tell(check.examine(settings, wish))


def _tell(findings: Iterable[Finding]) -> int:
    status = OK
    for finding in findings:
        for line in _lines(finding):
            print(line)
        # What takes a while should be seen while it is waited for.
        sys.stdout.flush()
        if finding.verdict is Verdict.WRONG:
            status = UNEXPECTED
    return status


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.verdict:<8} {finding.text}"
    if finding.advice:
        yield f"         → {finding.advice}"


def _wish(argv: Sequence[str]) -> tuple[Wish, list[str]]:
    """Return what is wanted, and the words that are the configuration's."""
    found: dict[str, str] = {}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word in _VALUES:
            found[word.removeprefix("--")] = next(words, "")
        elif word in _PRINTS:
            found["prints"] = word
        elif word.startswith("-"):
            rest += [word] if "=" in word or word == "--debug" else [word, next(words, "")]
        elif "user" in found:
            raise BadArguments(f"carrel doctor takes one user, not {found['user']} and {word}")
        else:
            found["user"] = word
    return Wish(**found), rest
