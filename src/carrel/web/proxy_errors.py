"""Pages that the data plane asks for when it has nothing to forward to."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from carrel.http.identify import ThePages

_MESSAGES = {
    404: "Nothing is served at this address.",
    502: "The server behind this address gave no usable answer. It may be overloaded or stopping.",
    503: "The server behind this address does not answer. It may be starting, or it may have stopped.",
}


@get("/hub/error/{code:int}")
async def proxy_error(pages: ThePages, request: Request[Any, Any, Any]) -> Response[str]:
    """Return the page for a status; what the visitor asked for (`?url=`) is not repeated."""
    code = request.path_params["code"]
    if not 400 <= code <= 599:
        raise NotFoundException
    return pages.error(request, code, _MESSAGES.get(code, ""))
