"""Where servers that run as jobs of a batch system say on which port they listen."""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.ports import tell_port
from carrel.domain.errors import Invalid
from carrel.http.endpoint import Answer, post


class PortBody(Struct):
    """Where a server listens."""

    port: int


@post(
    "/batchspawner",
    summary="Tell the port of a server",
    scopes=(),
    responses={201: Answer("The hub knows it; the answer is empty.")},
    errors=(409, 503),
    example={"port": 43210},
)
async def tell_the_port(hub: HubContext, caller: Caller, data: PortBody) -> Response:
    """Let the hub know on which port the server listens whose own token is used.

    A server that runs as a job says so when its start has begun; the answer comes once the hub will not
    forget it. After 503 it is said again.
    """
    if not 0 < data.port < 65536:
        raise Invalid("port must be between 1 and 65535")
    await tell_port(hub, caller, data.port)
    return Response(b"", 201)
