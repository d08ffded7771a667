"""A GET for one small page, with the standard library's streams."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from httptools import HttpParserError, HttpResponseParser

from carrel.dataplane.targets import Target

_MAX_BODY = 1024 * 1024


class FetchError(Exception):
    """The server's answer is not a usable page."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is shown with."""

    body: bytes
    content_type: str
    encoding: tuple[tuple[str, str], ...]


class _Collector:
    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


async def fetch(target: Target, path: str, context: ssl.SSLContext | None = None) -> Page:
    """Return the page at `path` under a target, whatever its status; `context` is for one that speaks TLS.

    Raises OSError when the server is not reachable and FetchError when its answer is malformed or over 1 MiB.
    Set a time limit around it.
    """
    host, port, tls, socket = target.address
    if socket:
        reader, writer = await asyncio.open_unix_connection(socket)
    else:
        reader, writer = await asyncio.open_connection(host, port, ssl=context if tls else None)
    try:
        line = b"GET %b%b HTTP/1.1\r\n" % (target.prefix, path.encode())
        writer.write(line + b"Host: %b\r\nAccept: text/html\r\nConnection: close\r\n\r\n" % target.authority)
        return await _read(reader)
    finally:
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Page:
    collector = _Collector()
    parser = HttpResponseParser(collector)
    while not collector.complete and (data := await reader.read(65536)):
        try:
            parser.feed_data(data)
        except HttpParserError as error:
            raise FetchError(str(error)) from None
        if len(collector.body) > _MAX_BODY:
            raise FetchError("the page is too large")
    if not collector.body:
        raise FetchError("the page is empty")
    encoding = collector.headers.get(b"content-encoding", b"").decode("latin-1")
    return Page(
        bytes(collector.body),
        collector.headers.get(b"content-type", b"text/html").decode("latin-1"),
        (("Content-Encoding", encoding),) if encoding else (),
    )
