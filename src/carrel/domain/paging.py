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


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items of a list, and how long the whole list is."""

    items: tuple[T, ...]
    offset: int
    limit: int
    total: int

    @property
    def next_offset(self) -> int | None:
        """Return where the next page begins, or None at the end."""
        following = self.offset + self.limit
        return following if following < self.total else None
