"""/proxy: the data plane's route table."""

from __future__ import annotations

from typing import Any

from carrel.core import routes
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.http.endpoint import get, post


@get("/proxy", summary="List routes", scopes=("proxy",))
async def list_routes(hub: HubContext, caller: Caller) -> dict[str, dict[str, Any]]:
    """Return the table as the data plane has it."""
    return await routes.list_routes(hub, caller)


@post("/proxy", summary="Repair routes", scopes=("proxy",))
async def repair_routes(hub: HubContext, caller: Caller) -> str:
    """Make the data plane's table equal to the rows, now."""
    await routes.repair(hub, caller)
    return ""
