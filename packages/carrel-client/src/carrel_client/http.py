"""One HTTP request at a time, to a hub: its own connection, a deadline, the body at once or as it comes.

A full client, as the world outside needs it, would cost a service more to import than all the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 20.0
_LARGEST = 64 * 1024 * 1024
_CHUNK = 65536


class HttpError(OSError):
    """What came back is not HTTP, or more than is taken."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A request; header names as they are sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    tls: ssl.SSLContext | None = None
    """For https; None trusts what the system trusts."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; the names of `headers` are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer whose head has come and whose body is on its way."""

    def __init__(self, url: str, connection: _Connection, head: h11.Response) -> None:
        self.url = url
        self.status = head.status_code
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        self._connection = connection

    async def chunks(self, idle_seconds: float) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises OSError when it breaks off, TimeoutError after a silence."""
        while True:
            async with asyncio.timeout(idle_seconds):
                event = await self._connection.event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return

    async def read(self, idle_seconds: float = REQUEST_SECONDS) -> Reply:
        """Return the answer with its whole body. Raises OSError, HttpError when it is too large."""
        body = bytearray()
        async for chunk in self.chunks(idle_seconds):
            body += chunk
            if len(body) > _LARGEST:
                raise HttpError("the answer is too large")
        return Reply(self.url, self.status, self.headers, bytes(body))


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT)

    async def ask(self, sending: Sending) -> None:
        parts = urlsplit(sending.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        headers = [("Host", parts.netloc), ("Connection", "close"), *sending.headers.items()]
        if sending.body or sending.method not in {"GET", "HEAD", "DELETE"}:
            headers.append(("Content-Length", str(len(sending.body))))
        try:
            head = self._protocol.send(h11.Request(method=sending.method, target=target, headers=headers))
        except (h11.LocalProtocolError, UnicodeEncodeError) as problem:
            raise ValueError(f"this cannot be sent to {parts.netloc}: {problem}") from None
        body = self._protocol.send(h11.Data(sending.body)) if sending.body else b""
        self._writer.write((head or b"") + (body or b"") + (self._protocol.send(h11.EndOfMessage()) or b""))
        await self._writer.drain()

    async def head(self) -> h11.Response:
        while True:
            event = await self.event()
            if isinstance(event, h11.Response):
                return event

    async def event(self) -> object:
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                self._protocol.receive_data(await self._reader.read(_CHUNK))
        except h11.RemoteProtocolError as problem:
            raise HttpError(f"no proper HTTP answer: {problem}") from None
        if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise HttpError("the connection ended before the answer did")
        return event

    async def close(self) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def opened(sending: Sending, seconds: float = REQUEST_SECONDS) -> AsyncIterator[Stream]:
    """Send a request and give the answer once its head has come, whatever its status.

    Raises OSError when none comes, TimeoutError (an OSError) after `seconds`, ValueError for what no request
    may hold, such as a line break in a header. Leaving the block closes the connection.
    """
    async with asyncio.timeout(seconds) as limit:
        connection = await _connect(sending)
        try:
            await connection.ask(sending)
            stream = Stream(sending.url, connection, await connection.head())
            limit.reschedule(None)
            yield stream
        finally:
            await connection.close()


async def send(sending: Sending, seconds: float = REQUEST_SECONDS) -> Reply:
    """Return the answer to a request, whatever its status; see `opened` for what is raised."""
    async with asyncio.timeout(seconds), opened(sending, seconds) as stream:
        return await stream.read(seconds)


async def _connect(sending: Sending) -> _Connection:
    parts = urlsplit(sending.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{sending.url!r} should begin with http://HOST or https://HOST")
    secure = parts.scheme == "https"
    tls = (sending.tls or ssl.create_default_context()) if secure else None
    async with asyncio.timeout(CONNECT_SECONDS):
        port = parts.port or (443 if secure else 80)
        return _Connection(*await asyncio.open_connection(parts.hostname, port, ssl=tls))
