"""Waiting for something that another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class TooLate(AssertionError):
    """What was waited for did not happen in time."""


def until(look: Callable[[], Found | None], what: str, timeout: float = 30.0, every: float = 0.05) -> Found:
    """Return the first true answer of `look`, asked every `every` seconds.

    Raises TooLate, naming `what`, when a look that began after `timeout` seconds finds nothing: one that
    began before and took long says nothing of that moment.
    """
    deadline = time.monotonic() + timeout
    while True:
        is_last = time.monotonic() > deadline
        found = look()
        if found:
            return found
        if is_last:
            raise TooLate(f"waited {timeout:g} s in vain: {what}")
        time.sleep(every)
