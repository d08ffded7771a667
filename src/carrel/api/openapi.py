"""/openapi.json: this API's description."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from carrel.http.endpoint import Answer, get


@get(
    "/openapi.json",
    summary="This description",
    responses={200: Answer("The document, in OpenAPI 3.1.", dict[str, Any])},
)
async def openapi(request: Request) -> Response:
    """Return the description of every endpoint, for programs that make clients and for tests.

    It is no secret: nobody has to say who is asking.
    """
    return Response(request.app.state.description.json(), media_type="application/json")
