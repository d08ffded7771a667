"""`offset`, `limit` and the two forms in which a list is answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from carrel.domain.errors import Invalid
from carrel.domain.paging import Page, PageRequest
from carrel.http.endpoint import json_reply

PAGINATION_TYPE = "application/jupyterhub-pagination+json"
_DEFAULT_LIMIT = 50
_MAX_LIMIT = 200
_LONGEST = 12


def page_request(request: Request) -> PageRequest:
    """Return the page that a request asks for; without the pagination type the limit is the largest."""
    offset = _number(request, "offset", 0)
    limit = _number(request, "limit", _DEFAULT_LIMIT if _wants_pages(request) else _MAX_LIMIT)
    return PageRequest(max(0, offset), min(max(1, limit), _MAX_LIMIT))


def paged(request: Request, page: Page[Any]) -> Response:
    """Return a page as a plain list, or with `_pagination` when the client accepts that."""
    if not _wants_pages(request):
        return json_reply(page.items)
    following = page.next_offset
    link = None
    if following is not None:
        query = [pair for pair in parse_qsl(request.url.query) if pair[0] not in ("offset", "limit")]
        query += [("offset", str(following)), ("limit", str(page.limit))]
        url = f"{request.url.scheme}://{request.url.netloc}{request.url.path}?{urlencode(query)}"
        link = {"offset": following, "limit": page.limit, "url": url}
    body = {
        "items": page.items,
        "_pagination": {"offset": page.offset, "limit": page.limit, "total": page.total, "next": link},
    }
    return json_reply(body, media_type=PAGINATION_TYPE)


def _wants_pages(request: Request) -> bool:
    return PAGINATION_TYPE in request.headers.get("accept", "")


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    number: int | None
    try:
        number = int(text)
    except ValueError:
        number = None
    # Longer ones fit no database's numbers.
    if number is None or len(text) > _LONGEST:
        raise Invalid(f"{name} must be a whole number, not {text[:40]!r}")
    return number
