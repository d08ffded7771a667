"""Who sets routes, and how far each has come, so that a change that went missing is noticed.

A writer, which is one run of a hub under a name of its own, numbers its changes and sends `Carrel-Change:
WRITER NUMBER` with each. A snapshot may have any number that is not lower than the last. Every other change
has the number after the last, or the last once more when its answer was lost: it may be made twice. A number
that does not fit changes nothing; the writer then sends a snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_HEADER = re.compile(r"([A-Za-z0-9._-]{1,64}) ([0-9]{1,18})")
_MOST = 16


class OutOfStepError(Exception):
    """A change has another number than the one expected; the text says which."""


class Mark(NamedTuple):
    """One change of one writer."""

    writer: str
    number: int


def parse_mark(text: str) -> Mark:
    """Return what the header says; raise ValueError when it is malformed."""
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError(
            "Carrel-Change must be a name of letters, digits, '.', '_' or '-', a space, a number"
        )
    return Mark(found[1], int(found[2]))


class Writers:
    """The last change of each; of the sixteen who wrote most recently."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self._numbers: dict[str, int] = {}
        self._listeners: list[Callable[[Mark], None]] = []
        for mark in marks:
            self.note(mark)

    def on_note(self, listener: Callable[[Mark], None]) -> None:
        """Call `listener` with every change that is noted from now on."""
        self._listeners.append(listener)

    def all(self) -> list[Mark]:
        """Return the last change of each, the most recent one at the end."""
        return [Mark(*item) for item in self._numbers.items()]

    def expect(self, mark: Mark, *, whole: bool) -> None:
        """Raise OutOfStepError unless this may be the next change of its writer; `whole` is a snapshot."""
        last = self._numbers.get(mark.writer)
        if whole:
            if last is not None and mark.number < last:
                raise OutOfStepError(
                    f"expected {last} or a later number from {mark.writer}, not {mark.number}"
                )
        elif last is None:
            raise OutOfStepError(f"expected a snapshot from {mark.writer}, of whom no change is known")
        elif mark.number not in (last, last + 1):
            raise OutOfStepError(
                f"expected {last + 1} from {mark.writer}, not {mark.number}: send a snapshot"
            )

    def note(self, mark: Mark) -> None:
        """Remember that this change was made."""
        self._numbers.pop(mark.writer, None)
        self._numbers[mark.writer] = mark.number
        if len(self._numbers) > _MOST:
            del self._numbers[next(iter(self._numbers))]
        for listener in self._listeners:
            listener(mark)
