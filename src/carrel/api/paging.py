"""`offset`, `limit` and the two forms in which a list is answered."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qs, urlencode

from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import Response

from carrel.domain.errors import Invalid
from carrel.domain.paging import Page, PageRequest
from carrel.http.endpoint import Answer, Argument, json_reply
from carrel.http.request import hub_of

T = TypeVar("T")
PAGINATION_TYPE = "application/jupyterhub-pagination+json"
_LONGEST = 12
_Number = Annotated[int, Meta(ge=0)]

#: What `page_request` reads.
PAGES = (
    Argument("offset", "How many entries to leave out.", _Number),
    Argument(
        "limit",
        "How many entries to show: at most, and for a bare list, as many as api_page_max_limit says (200), "
        "for a page as many as api_page_default_limit says (50).",
        _Number,
    ),
)


class NextModel(Struct):
    """Where the next page is."""

    offset: int
    limit: int
    url: str


class PaginationModel(Struct):
    """Which part of a list this is."""

    offset: int
    limit: int
    total: int
    next: NextModel | None


class PageModel(Struct, Generic[T]):
    """A page of a list, or of an object's entries."""

    items: T
    pagination: PaginationModel = field(name="_pagination")


def pages_of(bare: Any, page: type[PageModel[Any]]) -> Answer:
    """Return the description of a list in both its forms, by their types."""
    return Answer(f"A page: bare, or with `_pagination` for who accepts `{PAGINATION_TYPE}`.", (bare, page))


def page_request(request: Request) -> PageRequest:
    """Return the page that a request asks for; without the pagination type the limit is the largest.

    As in JupyterHub, a minus sign is overlooked. Raises Invalid for what is no whole number.
    """
    settings = hub_of(request).settings
    most = settings.api_page_max_limit
    offset = _number(request, "offset", 0)
    counted = _wants_pages(request)
    limit = _number(request, "limit", settings.api_page_default_limit if counted else most)
    return PageRequest(offset, min(max(1, limit), most), counted)


def paged(request: Request, page: Page[Any]) -> Response:
    """Return a page as a plain list, or with `_pagination` when the client accepts that."""
    return json_reply(paged_model(request, page.items, page))


def paged_model(request: Request, items: Any, page: Page[Any]) -> Any:
    """Return a list or an object in the form that the client accepts; `page` says which part it is."""
    if not _wants_pages(request):
        return items
    return {"items": items, "_pagination": pagination(request, page)}


def pagination(request: Request, page: Page[Any]) -> PaginationModel:
    """Return which part of a list a page is, and where the next one is."""
    following = page.next_offset
    link = None
    if following is not None:
        query = parse_qs(request.url.query, keep_blank_values=True)
        query |= {"offset": [str(following)], "limit": [str(page.limit)]}
        url = f"{request.url.scheme}://{request.url.netloc}{request.url.path}?{urlencode(query, doseq=True)}"
        link = NextModel(following, page.limit, url)
    return PaginationModel(page.offset, page.limit, page.total, link)


def _wants_pages(request: Request) -> bool:
    accepted = request.headers.get("accept", "").lower().split(",")
    return PAGINATION_TYPE in (kind.strip() for kind in accepted)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    number: int | None
    try:
        number = abs(int(text))
    except ValueError:
        number = None
    # Longer ones fit no database's numbers.
    if number is None or len(text) > _LONGEST:
        raise Invalid("Invalid argument type, offset and limit must be integers")
    return number
