"""/shutdown."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.shutdown import shut_down
from carrel.http.endpoint import post


class Shutdown(Struct):
    """The body of POST /shutdown: what else ends; left out, the settings say."""

    proxy: bool | UnsetType = UNSET
    servers: bool | UnsetType = UNSET


@post(
    "/shutdown",
    summary="Shut the hub down",
    status=202,
    scopes=("shutdown",),
    example={"proxy": True, "servers": False},
)
async def shutdown(hub: HubContext, caller: Caller, data: Shutdown | None = None) -> dict[str, str]:
    """End the hub after this answer."""
    wanted = data or Shutdown()
    shut_down(
        hub,
        caller,
        proxy=None if wanted.proxy is UNSET else wanted.proxy,
        servers=None if wanted.servers is UNSET else wanted.servers,
    )
    return {"message": "Shutting down Hub"}
