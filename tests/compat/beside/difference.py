"""A row of the table of differences."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from tests.compat.beside.asking import Ask, Case


@dataclass(frozen=True, slots=True)
class Difference:
    """One row; patterns are those of file names, several in a line are separated by ` | `."""

    what: str
    why: str
    aspects: str
    """Which aspects of a reply may differ."""
    asks: str = "*"
    """Which requests it concerns, as `METHOD PATH`."""
    cases: str = "*"
    who: str = "*"

    def allows(self, case: Case, ask: Ask, aspect: str) -> bool:
        """Tell whether this row allows that an aspect of a reply differs."""
        return (
            _fits(self.aspects, aspect)
            and _fits(self.asks, ask.label)
            and _fits(self.cases, case.name)
            and _fits(self.who, ask.who)
        )


@cache
def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(" | "))


def _fits(patterns: str, text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in _patterns(patterns))


#: For what is altogether another answer.
ANYTHING = "status | body | json* | header.* | cookie.* | event*"
