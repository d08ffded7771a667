"""`carrel check-config`: what a configuration will do, and what is wrong with it. Nothing starts."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from carrel.cli.exits import OK
from carrel.config.arguments import BadArguments, parse_arguments
from carrel.config.load import read_all
from carrel.config.report import FATAL, Entry, Report
from carrel.config.schema import BadConfig, Problem, Settings

USAGE = """\
usage: carrel check-config [FILE] [--strict] [--json]

Say what the configuration FILE (by default the one that the hub would find here) does, and what is wrong
with it. Nothing starts. --json prints it for programs. Exit code: 0 when the hub starts with it, 2 when it
does not, 1 with --strict when there is any warning.
"""

_WIDTH = 100
_KIND_NAMES = {"": "warning", "contradiction": "conflict"}


def check_config(argv: Sequence[str], report_on: Callable[[Settings, list[Problem]], Report]) -> int:
    """Print the report of a configuration; return 2 when the hub would not start with it, else 0.

    `--strict` makes it 1 when there is any warning, `--json` prints it for programs.
    """
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return OK
    given = list(argv)
    strict, machine = "--strict" in given, "--json" in given
    arguments = parse_arguments([word for word in given if word not in ("--strict", "--json")])
    if len(arguments.words) > 1 or (arguments.words and arguments.config_file):
        raise BadArguments("check-config takes one configuration file")
    if arguments.words:
        arguments = replace(arguments, words=(), config_file=arguments.words[0])
    try:
        settings, problems = read_all(arguments, Path.cwd(), os.environ)
        report = report_on(settings, problems)
    except BadConfig as error:
        report = Report(arguments.config_file, {}, tuple(error.problems), ())
    if machine:
        print(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print("\n".join(_lines(report, _Style(colour))))
    return report.status(strict=strict)


@dataclass(frozen=True, slots=True)
class _Style:
    colour: bool

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def kind(self, text: str, *, fatal: bool) -> str:
        return f"\x1b[{31 if fatal else 33}m{text}\x1b[0m" if self.colour else text

    def faint(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.colour else text


def _lines(report: Report, style: _Style) -> Iterator[str]:
    fatal = [problem for problem in report.problems if problem.fatal]
    doubts = [problem for problem in report.problems if not problem.fatal]
    yield style.bold(f"{report.file or 'No configuration file'}: {_verdict(report, len(fatal), len(doubts))}")
    if report.summary:
        yield ""
        width = max(map(len, report.summary))
        for name, text in report.summary.items():
            yield from _wrap(f"  {name:<{width}}  ", text)
    for title, problems in (("Must be corrected", fatal), ("Worth a look", doubts)):
        if problems:
            yield ""
            yield style.bold(f"{title} ({len(problems)})")
            for problem in problems:
                yield from _problem(problem, style)
    if report.entries:
        yield ""
        yield style.bold(f"Settings ({len(report.entries)})")
        for section, entries in groupby(report.entries, key=lambda each: each.setting.partition(".")[0]):
            yield f"  c.{section}"
            for entry in entries:
                yield from _entry(entry, style)


def _verdict(report: Report, fatal: int, doubts: int) -> str:
    if report.status(strict=False) == FATAL:
        return f"the hub does not start, because of {_count(fatal, 'mistake')}"
    return (
        f"the hub starts; {_count(doubts, 'point')} worth a look"
        if doubts
        else "the hub starts, and all is well"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _problem(problem: Problem, style: _Style) -> Iterator[str]:
    kind = "error" if problem.fatal else _KIND_NAMES.get(problem.kind, problem.kind)
    name = f"c.{problem.setting}" if problem.setting[:1].isupper() else problem.setting
    named = [problem.location, name if problem.location or not name else f"{name} (not set)"]
    yield f"  {style.kind(f'{kind:<11}', fatal=problem.fatal)} {'  '.join(filter(None, named))}".rstrip()
    yield from _wrap(" " * 14, problem.message)


def _entry(entry: Entry, style: _Style) -> Iterator[str]:
    name = entry.setting.partition(".")[2]
    head = f"{name} = {entry.value}" if entry.value else name
    marks = f"  [{', '.join(_KIND_NAMES.get(mark, mark) for mark in entry.marks)}]" if entry.marks else ""
    default = f"  (default {entry.default})" if entry.default and entry.default != entry.value else ""
    yield f"    {head}{style.kind(marks, fatal=False) if marks else ''}{style.faint(default)}"
    place = f"{entry.location}: " if entry.location else ""
    yield from _wrap(" " * 8, f"{place}{entry.effect or 'no effect'}")


def _wrap(indent: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent.rstrip()]
