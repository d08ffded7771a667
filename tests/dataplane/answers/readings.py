"""What a client reads in bytes, by two parsers that share no code: h11 and llhttp."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import h11
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

Pairs = list[tuple[bytes, bytes]]


@dataclass
class Reading:
    """An answer as far as it came; a status of 0 is none."""

    status: int = 0
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)
    complete: bool = False
    #: The connection may carry another request.
    reusable: bool = False
    #: What came behind it.
    rest: bytes = b""


def read_h11(raw: bytes, method: str = "GET", *, ended: bool = True) -> Reading:
    """Return the first final answer in `raw`; `ended`: nothing comes behind, and the end was orderly."""
    reading = Reading()
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**21)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    try:
        while not reading.complete:
            event = connection.next_event()
            if event is h11.NEED_DATA and ended:
                connection.receive_data(b"")
                ended = False
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return reading
            else:
                _note(reading, event)
    except h11.RemoteProtocolError:
        return reading
    reading.rest = connection.trailing_data[0]
    # Empty lines behind an answer are passed over by many; they hide nothing.
    lasts = connection.their_state is h11.DONE or _lasts_though_old(connection, reading.headers)
    reading.reusable = lasts and not reading.rest.strip(b"\r\n")
    return reading


def _lasts_though_old(connection: h11.Connection, headers: Pairs) -> bool:
    """Tell whether an HTTP/1.0 answer keeps the connection: h11 closes it behind each of them."""
    found = dict(headers)
    lasts = found.get(b"connection", b"").lower() == b"keep-alive" and b"transfer-encoding" not in found
    return lasts and connection.their_http_version == b"1.0"


def _note(reading: Reading, event: object) -> None:
    if isinstance(event, h11.Response):
        reading.status, reading.headers = event.status_code, list(event.headers)
    elif isinstance(event, h11.Data):
        reading.body += bytes(event.data)
    elif isinstance(event, h11.EndOfMessage):
        reading.trailers = list(event.headers)
        reading.complete = True


class _Llhttp:
    """Collects the final answers that llhttp finds."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.parser = HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self.readings.append(Reading())

    def on_header(self, name: bytes, value: bytes) -> None:
        reading = self.readings[-1]
        (reading.trailers if reading.status else reading.headers).append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.readings[-1].status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.readings[-1].body += data

    def on_message_complete(self) -> None:
        self.readings[-1].complete = True
        if self.readings[-1].status < 200:
            self.readings.pop()


def read_llhttp(raw: bytes) -> list[Reading]:
    """Return the final answers in `raw`, none of them to a HEAD; the last may be incomplete."""
    collected = _Llhttp()
    with contextlib.suppress(HttpParserError, HttpParserUpgrade):
        collected.parser.feed_data(raw)
    return collected.readings


def alike(one: Reading, other: Reading) -> bool:
    """Tell whether two parsers read the same answer."""
    return (one.status, one.headers, one.body, one.trailers, one.complete) == (
        other.status,
        other.headers,
        other.body,
        other.trailers,
        other.complete,
    )
