"""/, /info, /health: what this hub is and whether it lives."""

from __future__ import annotations

import sys
from typing import Any

from starlette.responses import Response

from carrel import JUPYTERHUB_VERSION, __version__
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.health import check_health
from carrel.http.endpoint import get


@get("", "/", summary="The version of the API")
async def version() -> dict[str, str]:
    """Return the JupyterHub version whose contract this hub keeps."""
    return {"version": JUPYTERHUB_VERSION}


@get("/info", summary="What the hub runs on", scopes=("read:hub",))
async def info(hub: HubContext, caller: Caller) -> dict[str, Any]:
    """Return versions and the classes in use."""
    caller.require("read:hub")
    return {
        "version": JUPYTERHUB_VERSION,
        "carrel": __version__,
        "python": sys.version,
        "sys_executable": sys.executable,
        "spawner": _class_model(hub.spawner_class),
        "authenticator": _class_model(type(hub.authenticator)),
    }


@get("/health", summary="Whether the hub works")
async def health(hub: HubContext) -> Response:
    """Return 200 with an empty body once the database has answered."""
    await check_health(hub)
    return Response(b"", headers={"Content-Type": "text/html"})


def _class_model(cls: type[object]) -> dict[str, str]:
    package = sys.modules.get(cls.__module__.partition(".")[0])
    version = getattr(package, "__version__", "unknown")
    return {"class": f"{cls.__module__}.{cls.__qualname__}", "version": str(version)}
