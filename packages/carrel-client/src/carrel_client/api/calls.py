"""Calls of the REST API as values: what is sent, and the type of what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request; `HubApi.call` sends it."""

    method: str
    path: str
    """Below the API's URL, escaped."""
    returns: type[T] | None = None
    """None for a call whose answer has no content."""
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """Many of one kind, page by page; `HubApi.each` goes through them."""

    path: str
    item: type[T]
    query: Mapping[str, str] = field(default_factory=dict)


def path(*parts: str) -> str:
    """Return a path of which every part is escaped, so that no name leads elsewhere.

    Raises ValueError for `.` and `..`, which everybody on the way would resolve, escaped or not.
    """
    for part in parts:
        if part in {".", ".."}:
            raise ValueError(f"{part!r} cannot be the name of anything at a hub")
    return "".join(f"/{quote(part, safe='@~')}" for part in parts)


def given(**values: Any) -> dict[str, Any]:
    """Return those values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def question(**values: str | bool | None) -> dict[str, str]:
    """Return those values that are neither None, False nor empty, as query arguments."""
    return {name: "1" if value is True else str(value) for name, value in values.items() if value}
