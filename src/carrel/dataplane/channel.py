"""What the main process and a worker tell each other, and the socket between them.

| from main | the worker's answer |
|---|---|
| `Change` | `Applied` with its number, or `Behind`, after which main sends the whole table |
| `Open` | none: it accepts connections from now on |
| `Ask` | `Report` |
| `Reload` | none: it reads its certificates again |
| `Drain` | it finishes what is under way, sends a last `Report`, and ends |

A worker's first word is `Hello`. It answers in the order in which it was asked. When either end of the socket
is closed, the other process is gone: a worker then ends at once.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from carrel.dataplane.load import Load
from carrel.dataplane.metrics import Counts
from carrel.dataplane.routes import Change
from carrel.lib.clock import Timestamp

_SIZE = struct.Struct("!I")


class Open(msgspec.Struct, frozen=True, tag=True):
    """Accept connections."""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Report."""


class Reload(msgspec.Struct, frozen=True, tag=True):
    """Read the certificates again."""


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Finish."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The worker runs."""

    pid: int


class Applied(msgspec.Struct, frozen=True, tag=True):
    """The worker's table is that of this change."""

    number: int


class Behind(msgspec.Struct, frozen=True, tag=True):
    """The worker could not do a change."""

    reason: str


class Report(msgspec.Struct, frozen=True, tag=True):
    """What happened in a worker since its last report, and what is open in it."""

    activity: Mapping[str, Timestamp]
    counts: Counts
    load: Load
    #: User and system CPU seconds since its start.
    cpu: tuple[float, float]


class Told(msgspec.Struct, frozen=True, tag=True):
    """A change of the table."""

    change: Change


FromMain = Told | Open | Ask | Reload | Drain
FromWorker = Hello | Applied | Behind | Report
Heard = TypeVar("Heard")


class Channel(asyncio.Protocol, Generic[Heard]):
    """One end: calls `heard` with each message, and `ended` once when the other end is closed."""

    _transport: asyncio.Transport

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[Heard],
        heard: Callable[[Heard], None],
        ended: Callable[[], None],
    ) -> None:
        self._decoder = decoder
        self._heard = heard
        self._ended = ended
        self._encoder = msgspec.msgpack.Encoder()
        self._buffer = bytearray()

    async def open(self, end: socket.socket) -> None:
        """Talk over this end of a pair of sockets, which is its own from now on."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports are asyncio.Transport in all but name

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            message = self._decoder.decode(bytes(self._buffer[_SIZE.size : end]))
            del self._buffer[:end]
            self._heard(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()

    def send(self, message: FromMain | FromWorker) -> None:
        """Send a message; when the other end is gone, nobody hears it."""
        content = self._encoder.encode(message)
        self._transport.write(_SIZE.pack(len(content)) + content)

    def close(self) -> None:
        """Close this end when everything is sent."""
        self._transport.close()


def to_main(heard: Callable[[FromMain], None], ended: Callable[[], None]) -> Channel[FromMain]:
    """Return a worker's end."""
    return Channel(msgspec.msgpack.Decoder(FromMain), heard, ended)


def to_worker(heard: Callable[[FromWorker], None], ended: Callable[[], None]) -> Channel[FromWorker]:
    """Return main's end."""
    return Channel(msgspec.msgpack.Decoder(FromWorker), heard, ended)
