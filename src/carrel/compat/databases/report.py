"""What a take-over found, does, and cannot do: for the person who asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_SHOWN = 5


@dataclass(slots=True)
class Report:
    """Lines under three headings; equal reasons are told once, with the names that they are about."""

    found: list[str] = field(default_factory=list)
    does: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    """Reason → what it is about."""
    blocked: list[str] = field(default_factory=list)
    """Why nothing can be done at all, each with what would be right."""

    def leave(self, what: str, why: str) -> None:
        """Note that something does not come along."""
        self.left.setdefault(why, []).append(what)

    def lines(self) -> list[str]:
        """Return the report, a line each."""
        lines = ["Found:", *_indented(self.found)] if self.found else []
        lines += ["Comes along:", *_indented(self.does)]
        if self.left:
            lines.append("Does not come along, or not as it was:")
            lines += _indented([f"{_names(names)}: {why}" for why, names in self.left.items()])
        if self.blocked:
            lines += ["Cannot be done:", *_indented(self.blocked)]
        return lines


def counted(number: int, one: str, many: str = "") -> str:
    """Return `1 user`, `3 users`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _names(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    shown = ", ".join(unique[:_SHOWN])
    more = len(unique) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
