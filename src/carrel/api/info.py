"""/, /info, /health: what this hub is and whether it lives."""

from __future__ import annotations

import sys

from msgspec import Struct, field
from starlette.responses import Response

from carrel import JUPYTERHUB_VERSION, __version__
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.health import check_health
from carrel.http.endpoint import Answer, get


class VersionModel(Struct):
    """The version of the API."""

    version: str


class ClassModel(Struct):
    """A class in use, and the version of its package."""

    name: str = field(name="class")
    version: str


class InfoModel(Struct):
    """What the hub runs on."""

    version: str
    carrel: str
    python: str
    sys_executable: str
    spawner: ClassModel
    authenticator: ClassModel


@get("", "/", summary="The version of the API")
async def version() -> VersionModel:
    """Return the JupyterHub version whose contract this hub keeps."""
    return VersionModel(JUPYTERHUB_VERSION)


@get("/info", summary="What the hub runs on", scopes=("read:hub",))
async def info(hub: HubContext, caller: Caller) -> InfoModel:
    """Return versions and the classes in use."""
    caller.require("read:hub")
    return InfoModel(
        version=JUPYTERHUB_VERSION,
        carrel=__version__,
        python=sys.version,
        sys_executable=sys.executable,
        spawner=_class_model(hub.spawner_class),
        authenticator=_class_model(type(hub.authenticator)),
    )


@get("/health", summary="Whether the hub works", responses={200: Answer("It does; the answer is empty.")})
async def health(hub: HubContext) -> Response:
    """Return 200 with an empty body once the database has answered."""
    await check_health(hub)
    return Response(b"", headers={"Content-Type": "text/html"})


def _class_model(cls: type[object]) -> ClassModel:
    package = sys.modules.get(cls.__module__.partition(".")[0])
    version = getattr(package, "__version__", "unknown")
    return ClassModel(f"{cls.__module__}.{cls.__qualname__}", str(version))
