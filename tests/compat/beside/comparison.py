"""What differs between the two hubs' replies, and which rows of the table allow it."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case
from tests.compat.beside.difference import Difference
from tests.compat.beside.differences import matching
from tests.compat.beside.hubs import Pair
from tests.compat.beside.normal import Aspects


class Comparison:
    """Plays each case once and remembers what came of it."""

    def __init__(self, pair: Pair) -> None:
        self.used: set[Difference] = set()
        self.pair = pair
        self._found: dict[str, list[str]] = {}

    def differences(self, case: Case) -> list[str]:
        """Return what no row of the table allows, a line each; a case is played only once."""
        if case.name not in self._found:
            replies = self.pair.play(case)
            self._found[case.name] = [
                line
                for ask, (theirs, ours) in zip(case.asks, replies, strict=True)
                for line in self._judge(case, ask, theirs, ours)
            ]
        return self._found[case.name]

    def _judge(self, case: Case, ask: Ask, theirs: Aspects, ours: Aspects) -> list[str]:
        lines = []
        for aspect in sorted(theirs.keys() | ours.keys()):
            expected, got = theirs.get(aspect, "nothing"), ours.get(aspect, "nothing")
            # Where JupyterHub fails there is nothing to be like.
            if expected == got or (theirs["status"] == 500 and 400 <= ours["status"] < 500):
                continue
            rows = matching(case, ask, aspect)
            self.used.update(rows)
            if not rows:
                lines.append(f"{ask.label} as {ask.who}: {aspect}: JupyterHub {expected!r}, Carrel {got!r}")
        return lines
