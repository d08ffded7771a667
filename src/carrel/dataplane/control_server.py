"""The API's listener: small requests with whole bodies, one after the other."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from carrel.dataplane.control import Call, Control
from carrel.dataplane.replies import Reply

_MAX_BODY = 64 * 1024 * 1024
_MAX_HEAD = 64 * 1024


class ControlConnection(asyncio.Protocol):
    """One connection to the API."""

    transport: asyncio.Transport

    def __init__(self, control: Control) -> None:
        self._control = control
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._authorization = ""
        self._body = bytearray()
        self._head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name

    def data_received(self, data: bytes) -> None:
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._refuse(400)
        if self._head_size > _MAX_HEAD + len(self._body):
            self._refuse(431)
        elif len(self._body) > _MAX_BODY:
            self._refuse(413)

    def _refuse(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(Reply(status).encode(close=True))
            self.transport.close()

    def on_message_begin(self) -> None:
        self._url = b""
        self._authorization = ""
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"authorization":
            self._authorization = value.decode("latin-1")
        elif lowered == b"expect" and value.lower() == b"100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._head_size = 0
        if self.transport.is_closing():
            return
        parts = urlsplit(self._url.decode("latin-1"))
        method = self._parser.get_method().decode()
        call = Call(method, parts.path, parts.query, self._authorization, bytes(self._body))
        keep = self._parser.should_keep_alive()
        self.transport.write(self._control.answer(call).encode(head_only=method == "HEAD", close=not keep))
        if not keep:
            self.transport.close()
