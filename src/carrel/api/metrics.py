"""/metrics."""

from __future__ import annotations

from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.metrics import read_metrics
from carrel.http.endpoint import Answer, get


@get(
    "/metrics",
    summary="Metrics for Prometheus",
    scopes=("read:metrics",),
    responses={200: Answer("Prometheus' text format.", str, "text/plain")},
)
async def metrics(hub: HubContext, visitor: Caller | None) -> Response:
    """Return what this hub has counted and timed, and how many users and servers there are.

    Where `authenticate_prometheus` is off, nobody has to say who is asking.
    """
    found = await read_metrics(hub, visitor)
    return Response(found.body, headers={"Content-Type": found.media_type})
