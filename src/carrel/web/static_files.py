"""The files that pages refer to: read once, addressed by content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
import logging
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from carrel.config.schema import Settings
from carrel.core.context import HubContext
from carrel.http.endpoint import get
from carrel.http.errors import NoSuchPage
from carrel.http.request import header
from carrel.lib.urls import first_argument

_log = logging.getLogger("carrel.web")
_FOREVER = "public, max-age=31536000, immutable"
_DIRECTORY = Path(__file__).parent / "static"
_LOGO = "logo.svg"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file's bytes, type and the digest that is part of its address."""

    content: bytes
    media_type: str
    digest: str


def read_static_files(directory: Path = _DIRECTORY) -> Mapping[str, StaticFile]:
    """Return every file below `directory` by its relative path."""
    return {
        path.relative_to(directory).as_posix(): read_file(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def read_file(path: Path) -> StaticFile:
    """Return one file; raises OSError when it cannot be read."""
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:16])


@get("/hub/static/{file:path}")
async def static_file(hub: HubContext, request: Request) -> Response:
    """Return one of the hub's own files, or of the deployer's; kept for ever when asked for by its digest."""
    name = str(request.path_params["file"]).lstrip("/")
    files: Mapping[str, StaticFile] = request.app.state.pages.static
    file = files.get(name) or _deployers_file(hub.settings, name)
    if file is None:
        raise NoSuchPage
    return _answer(request, file)


def _deployers_file(settings: Settings, name: str) -> StaticFile | None:
    """Return a file below the deployer's `static`; None for one that is not there, hidden or elsewhere."""
    if not settings.data_files_path or "\0" in name:
        return None
    place = (settings.resolve(settings.data_files_path) / "static").resolve()
    path = (place / name).resolve()
    if not path.is_relative_to(place) or any(part.startswith(".") for part in path.relative_to(place).parts):
        return None
    try:
        return read_file(path) if path.is_file() else None
    except OSError:
        return None


@get("/hub/logo")
async def logo(hub: HubContext, request: Request) -> Response:
    """Return the deployer's logo, or Carrel's."""
    custom = hub.settings.logo_file
    if custom:
        try:
            return _answer(request, read_file(hub.settings.resolve(custom)))
        except OSError as error:
            _log.warning("c.JupyterHub.logo_file cannot be read, so Carrel's is shown: %s", error)
    return _answer(request, request.app.state.pages.static[_LOGO])


def _answer(request: Request, file: StaticFile) -> Response:
    tag = f'"{file.digest}"'
    asked = first_argument(request.url.query, "v")
    headers = {"ETag": tag, "Cache-Control": _FOREVER if asked == file.digest else "no-cache"}
    if file.media_type == "image/svg+xml":
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    if header(request, "if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
