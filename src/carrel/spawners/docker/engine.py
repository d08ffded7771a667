"""The HTTP API of an engine, Docker's or Podman's, as far as drivers need it.

https://docs.docker.com/reference/api/engine/ is what the paths and names come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from carrel.domain.errors import CarrelError
from carrel.spawners.docker.address import EngineAddress

if TYPE_CHECKING:
    import aiohttp

#: The newest version of the API that is spoken; an engine that is older is asked in its own.
NEWEST = (1, 47)
_OLDEST = (1, 24)
_CONNECTIONS = 64
#: What servers write is theirs to choose, and read into the hub's memory.
_LARGEST = 4 * 1024 * 1024
#: How much of a stream is read at once, in bytes, and how long it may rest then, in seconds.
_PIECE, _PAUSE = 64 * 1024, 0.2
Query = Mapping[str, object]


class EngineError(CarrelError):
    """What the engine did not do, in its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; 0 when there was no answer, or when it came in the middle of a stream."""


class EngineAway(EngineError):
    """The engine does not answer: what becomes of its containers is unknown."""

    def __init__(self, address: EngineAddress, reason: object) -> None:
        cause = getattr(reason, "os_error", reason)
        text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        super().__init__(0, f"Cannot connect to the Docker daemon at {address.url}: {text}")


class Engine:
    """One engine; its connections are kept for all who use it, until `close`."""

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self._session: aiohttp.ClientSession | None = None
        self._version = ""

    async def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        *,
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the answer's JSON, None when there is none.

        `path` begins without a slash and is quoted. Raises EngineError, and EngineAway after `seconds` (the
        address's own limit if None).
        """
        limit = seconds or self.address.timeout
        async with self._request(method, path, query, body, limit, headers) as reply:
            data = await reply.read()
        try:
            return msgspec.json.decode(data) if data.strip() else None
        except msgspec.DecodeError as error:
            raise EngineError(0, f"The Docker engine's answer cannot be read: {error}") from error

    async def read(self, path: str, query: Query | None = None) -> bytes:
        """Return the answer to a GET as it is, the first 4 MiB of it; raises as `call` does."""
        async with self._request("GET", path, query, None, self.address.timeout) as reply:
            return await _first_of(reply)

    async def output(self, path: str, body: object) -> bytes:
        """Return what the answer to a POST streams, the first 4 MiB; raises as `call` does."""
        async with self._request("POST", path, None, body, self.address.timeout) as reply:
            return await _first_of(reply)

    async def lines(
        self, path: str, query: Query, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the answer to a POST, an object a line, for as long as it takes; raises as `call` does."""
        async with self._request("POST", path, query, None, None, headers) as reply:
            rest = b""
            async for data in reply.content.iter_any():
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield msgspec.json.decode(line)
            if rest.strip():
                yield msgspec.json.decode(rest)

    async def stream(self, path: str, query: Query) -> AsyncGenerator[bytes, None]:
        """Yield the answer to a GET in pieces, as it comes, for as long as it takes; raises as `call` does.

        On a connection of its own, since many streams may last long.
        """
        async with (
            self._connect(1) as session,
            self._request("GET", path, query, None, None, session=session) as reply,
        ):
            while data := await reply.content.read(_PIECE):
                yield data
                # A flood must not keep the hub busy.
                await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """End the connections; may be repeated."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: object,
        seconds: float | None,
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # A seventh of the hub's start-up, which most hubs do not need.
        import aiohttp

        version = self._version or await self._agree()
        try:
            async with (session or self._open()).request(
                method,
                self._url(f"/{version}/{path}", query),
                data=None if body is None else msgspec.json.encode(body),
                headers={"Content-Type": "application/json", **(headers or {})},
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=self.address.timeout),
                allow_redirects=False,
            ) as reply:
                if reply.status >= 400:
                    raise EngineError(reply.status, _message(await reply.read()) or str(reply.reason))
                yield reply
        except TimeoutError as error:
            raise EngineAway(
                self.address, f"no answer within {seconds or self.address.timeout:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            # Another engine may be there by the time of the next call.
            self._version = ""
            raise EngineAway(self.address, error) from error

    async def _agree(self) -> str:
        """Return the version of the API that both sides speak."""
        import aiohttp

        limit = aiohttp.ClientTimeout(total=self.address.timeout)
        try:
            async with self._open().get(self._url("/_ping", None), timeout=limit) as reply:
                theirs = reply.headers.get("Api-Version", "")
                await reply.read()
        except TimeoutError as error:
            raise self._silent(None) from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineAway(self.address, error) from error
        try:
            major, minor = (int(part) for part in theirs.split("."))
        except ValueError:
            major, minor = _OLDEST
        spoken = min((major, minor), NEWEST)
        self._version = f"v{spoken[0]}.{spoken[1]}"
        return self._version

    def _silent(self, seconds: float | None) -> EngineAway:
        return EngineAway(self.address, f"no answer within {seconds or self.address.timeout:g} s")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._connect(_CONNECTIONS)
        return self._session

    def _connect(self, limit: int) -> aiohttp.ClientSession:
        import aiohttp

        tls, path = self.address.tls, self.address.socket
        connector: aiohttp.BaseConnector
        if path:
            connector = aiohttp.UnixConnector(path, limit=limit)
        else:
            connector = aiohttp.TCPConnector(ssl=tls.context() if tls else True, limit=limit)
        return aiohttp.ClientSession(connector=connector, auto_decompress=True)

    def _url(self, path: str, query: Query | None) -> Any:
        from yarl import URL

        base = "http://docker" if self.address.socket else self.address.url
        tail = f"?{urlencode({key: _text(value) for key, value in query.items()})}" if query else ""
        return URL(f"{base}{path}{tail}", encoded=True)


async def _first_of(reply: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for data in reply.content.iter_any():
        found += data
        if len(found) >= _LARGEST:
            break
    return bytes(found[:_LARGEST])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _message(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace").strip()[:2000]
    if not isinstance(said, dict):
        return str(said)
    # Podman adds the cause, which its message may not have.
    return str(said.get("message") or said.get("cause") or "")
