"""/hub/metrics, where JupyterHub has had them for longest."""

from __future__ import annotations

from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.metrics import read_metrics
from carrel.http.endpoint import get


@get("/hub/metrics")
async def metrics(hub: HubContext, visitor: Caller | None) -> Response:
    """Return the same as the API does."""
    found = await read_metrics(hub, visitor)
    return Response(found.body, headers={"Content-Type": found.media_type})
