"""Pages that the data plane asks for when it has nothing to forward to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from carrel.http.endpoint import get
from carrel.http.errors import NoSuchPage
from carrel.http.pages import Pages

#: The data plane keeps these pages, one for each status: they cannot know which of the two it is.
_WHO_KNOWS = "If it is yours, the home page says how it is; if it is a service, ask whoever runs the hub."
_MESSAGES = {
    404: "Nothing is served at this address.",
    502: "The server behind this address gave no usable answer. It may be overloaded or stopping. "
    f"{_WHO_KNOWS}",
    503: "The server behind this address does not answer. It may be starting, or it may have stopped. "
    f"{_WHO_KNOWS}",
}


@get("/hub/error/{code:int}")
async def proxy_error(pages: Pages, request: Request) -> Response:
    """Return the page for a status; what the visitor asked for (`?url=`) is not repeated."""
    code = request.path_params["code"]
    if not 400 <= code <= 599:
        raise NoSuchPage
    return pages.error(request, code, _MESSAGES.get(code, ""))
