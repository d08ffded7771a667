"""Small HTTP requests to our own processes: the data plane's API, a server that is starting.

One connection per request, no cookies, no redirects, nothing from the environment. A full client, as the
world outside needs it, would be a seventh of the hub's start-up to import.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

_LARGEST = 64 * 1024 * 1024


class HttpError(OSError):
    """What came back is not HTTP, or more than we take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = 10.0,
) -> Reply:
    """Return the answer to one request, whatever its status.

    Raises OSError when there is none (HttpError when it is malformed), TimeoutError after `seconds`, and
    ValueError for a line break where none belongs.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method not in {"GET", "HEAD", "DELETE"}:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join((*lines, "", ""))
    if head.count("\n") != len(lines) + 1 or head.count("\r") != len(lines) + 1:
        raise ValueError("A header or the address has a line break in it.")
    async with asyncio.timeout(seconds):
        try:
            reader, writer = await asyncio.open_connection(
                parts.hostname,
                parts.port or (443 if secure else 80),
                ssl=ssl.create_default_context() if secure else None,
            )
        except UnicodeError as error:
            # A name that cannot even be asked for, as with a label that is empty or too long.
            raise OSError(f"{parts.hostname} is no name of a host") from error
        try:
            writer.write(head.encode() + body)
            return await _read(reader)
        finally:
            writer.transport.abort()


class _Collector:
    """Takes what the parser finds."""

    def __init__(self) -> None:
        self.parser = HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200

    @property
    def ends_with_connection(self) -> bool:
        return self.status >= 200 and not {"content-length", "transfer-encoding"} & self.headers.keys()


async def _read(reader: asyncio.StreamReader) -> Reply:
    found = _Collector()
    while not found.complete and (data := await reader.read(65536)):
        try:
            found.parser.feed_data(data)
        except HttpParserError as error:
            raise HttpError(f"no proper HTTP answer: {error}") from None
        if len(found.body) > _LARGEST:
            raise HttpError("the answer is too large")
    if not found.complete and not found.ends_with_connection:
        raise HttpError("the connection ended before the answer did")
    return Reply(found.status, found.headers, bytes(found.body))
