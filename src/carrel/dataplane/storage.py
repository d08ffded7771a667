"""The route table on disk, one checksummed file, so that a restart serves before any hub is up."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from carrel.dataplane.paths import escaped
from carrel.dataplane.routes import Route, RouteTable

_MAGIC = b"carrel-routes-1 "


class StoredRoute(msgspec.Struct, frozen=True):
    """A route as it stands in the file; `spec` is URL-escaped."""

    spec: str
    data: dict[str, object]
    last_activity: float


class TornFileError(ValueError):
    """The file is not one that was written completely by this program."""


def encode(routes: Iterable[Route]) -> bytes:
    """Return the file's content: a line with the checksum of what follows, then JSON."""
    stored = [StoredRoute(escaped(route.segments), dict(route.data), route.last_activity) for route in routes]
    body = msgspec.json.encode(stored)
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode(content: bytes) -> list[StoredRoute]:
    """Return the routes of a file's content; raise TornFileError when it is damaged."""
    first, _, body = content.partition(b"\n")
    if first != _MAGIC + hashlib.sha256(body).hexdigest().encode():
        raise TornFileError("the checksum does not fit")
    try:
        return msgspec.json.decode(body, type=list[StoredRoute])
    except msgspec.DecodeError as error:
        raise TornFileError(str(error)) from None


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new content, also after a crash. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


class RouteFile:
    """Keeps a file equal to a table, a moment later."""

    def __init__(self, path: Path, table: RouteTable, log: logging.Logger, delay: float = 0.05) -> None:
        self._path = path
        self._table = table
        self._log = log
        self._delay = delay
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Put the remembered routes into the table; a damaged file is reported and counts as empty.

        Raises OSError when the file cannot be read or its directory not be written.
        """
        if not os.access(self._path.parent, os.W_OK | os.X_OK):
            raise PermissionError(f"cannot write in the directory of {self._path}")
        try:
            stored = decode(self._path.read_bytes())
            self._table.load((route.spec, route.data, route.last_activity) for route in stored)
        except FileNotFoundError:
            return
        except ValueError as error:
            self._log.warning(
                "The route file %s is damaged (%s): starting without its routes", self._path, error
            )

    def start(self) -> None:
        """Begin to write changes."""
        self._table.on_change(lambda _: self._changed.set())
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Stop, and write the table as it is now with its activity times."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._write()

    async def _keep(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(self._delay)
            self._changed.clear()
            await asyncio.shield(asyncio.ensure_future(self._write()))

    async def _write(self) -> None:
        async with self._writing:
            content = encode(self._table.all())
            try:
                await asyncio.to_thread(write_atomically, self._path, content)
            except OSError as error:
                self._log.error("Cannot write the route file %s: %s", self._path, error)
