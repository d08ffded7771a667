"""One side of a connection that speaks HTTP/1.1: events in, bytes out, back-pressure by the stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import h11

_CHUNK = 65536
_LARGEST_HEAD = 65536


class Gone(OSError):
    """The other side has closed the connection, or speaks no HTTP."""


class Wire:
    """A stream with the state of an HTTP conversation."""

    def __init__(
        self, role: type[h11.CLIENT | h11.SERVER], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=_LARGEST_HEAD)
        self._reader = reader
        self._writer = writer

    @property
    def may_go_on(self) -> bool:
        """Tell whether both sides have said all of this exchange, and neither wants it to be the last one."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    async def event(self) -> object:
        """Return the next event. Raises Gone when none will come, RemoteProtocolError for what is no HTTP."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            try:
                data = await self._reader.read(_CHUNK)
            except OSError as problem:
                raise Gone(str(problem)) from None
            self.http.receive_data(data)
        if isinstance(event, h11.ConnectionClosed):
            raise Gone("closed")
        return event

    async def send(self, event: h11.Event) -> None:
        """Send an event, as fast as the other side takes it. Raises Gone."""
        data = self.http.send(event)
        if data:
            await self.write(data)

    async def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises Gone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as problem:
            raise Gone(str(problem)) from None

    async def until_gone(self) -> None:
        """Return when the other side hangs up; what it says meanwhile is kept for `event`."""
        kept = 0
        while kept < _LARGEST_HEAD:
            try:
                data = await self._reader.read(_CHUNK)
            except OSError:
                return
            if not data:
                return
            self.http.receive_data(data)
            kept += len(data)
        await asyncio.Event().wait()

    async def pump_to(self, other: Wire, seen: Callable[[bytes], None]) -> None:
        """Hand on bytes as they come, until this side has no more; the conversation is no HTTP any longer."""
        rest, _ = self.http.trailing_data
        data = bytes(rest) or await self._read()
        while data:
            seen(data)
            await other.write(data)
            data = await self._read()
        with contextlib.suppress(OSError):
            other._writer.write_eof()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_CHUNK)
        except OSError:
            return b""

    async def close(self) -> None:
        """Let go of the connection, after what was written has gone out."""
        with contextlib.suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()
