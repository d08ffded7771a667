"""The links below a list that lead to its other pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from carrel.domain.errors import Invalid
from carrel.domain.paging import Page
from carrel.lib.urls import with_arguments

#: No list is longer, and no database takes larger numbers.
_FARTHEST = 10**9


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page stands in its list, and the addresses of its neighbours; empty where there is none."""

    first: int
    last: int
    total: int
    before: str
    after: str


def pager(page: Page[Any], address: str) -> Pager:
    """Return the links for a page of the list at `address`."""
    last = page.offset + len(page.items)
    before = max(0, min(page.offset, page.total) - page.limit)
    following = page.next_offset
    return Pager(
        first=page.offset + 1 if page.items else last,
        last=last,
        total=page.total,
        before=with_arguments(address, offset=str(before)) if page.offset else "",
        after="" if following is None else with_arguments(address, offset=str(following)),
    )


def offset_of(request: Request) -> int:
    """Return where the page begins that an address asks for; raise Invalid for what is no number."""
    text = request.query_params.get("offset", "0")
    try:
        return clamp(int(text[:20]))
    except ValueError:
        raise Invalid("The address of this list is wrong: offset is no number.") from None


def clamp(offset: int) -> int:
    """Return an offset that somebody sent as one that a database takes."""
    return min(max(0, offset), _FARTHEST)
