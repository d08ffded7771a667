"""What is told of the preparation: lines that people read in the log and a hub shows while they wait."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Failed(Exception):
    """It cannot go on; the text is one sentence for the user, `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Report:
    """Writes one line for each step: `[repository 40%] Installing packages`."""

    def __init__(self, write: Callable[[str], None] = _print) -> None:
        self._write = write
        self._progress = 0

    def step(self, message: str, progress: int | None = None) -> None:
        """Tell what is done now; `progress` is in percent, without it that of the step before."""
        self._progress = self._progress if progress is None else progress
        self._write(f"[repository {self._progress}%] {_line(message)}")

    def ready(self, directory: str) -> None:
        """Tell that the command follows."""
        self._write(f"[repository ready] {_line(directory)}")

    def failed(self, error: Failed) -> None:
        """Tell why there will be no server."""
        self._write(f"[repository failed] {_line(str(error))}")
        if error.hint:
            self._write(f"[repository hint] {_line(error.hint)}")

    def quote(self, output: str) -> None:
        """Copy what a program said into the log."""
        for line in output.splitlines():
            self._write(f"  {_line(line)}")


def _line(text: str) -> str:
    """Return text as one line in which nothing passes for another one of these."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:400]
