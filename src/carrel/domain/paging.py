"""A page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted."""

    offset: int = 0
    limit: int = 200
    counted: bool = True
    """Whether anybody wants to know how long the whole list is, which may take longer than the page."""

    def known_total(self, found: int) -> int | None:
        """Return how long the whole list is when this page tells, having brought `found` items.

        A page that is not to be counted says how long the list is at least.
        """
        is_end = found < self.limit and (found > 0 or self.offset == 0)
        return self.offset + found if is_end or not self.counted else None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items of a list, and how long the whole list is (at least, when it was not to be counted)."""

    items: tuple[T, ...]
    offset: int
    limit: int
    total: int

    @property
    def next_offset(self) -> int | None:
        """Return where the next page begins, or None at the end."""
        following = self.offset + self.limit
        return following if following < self.total else None
