"""Listening to the other hubs on a connection that does nothing else.

Proof that nothing was missed is a notification of our own: PostgreSQL delivers notifications in the order of
their commits, so that what was committed before we sent it has come before it comes back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from carrel.lib.clock import Clock
from carrel.storage.base import Ears, StorageError
from carrel.storage.sql.notify import CHANNEL, decode_events

if TYPE_CHECKING:
    import psycopg

#: Seconds between two proofs.
_PROOF_INTERVAL = 0.3
#: A connection without proof for so long is given up.
_SILENCE = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_UNWIND = 1.0
_log = logging.getLogger("carrel.storage")


class Listener:
    """What one hub hears; `connect` opens a connection, `origin` marks what the hub said itself."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        origin: str,
        clock: Clock,
        jitter: Callable[[], float],
        ears: Ears,
    ) -> None:
        self._connect = connect
        self._origin = origin
        self._clock = clock
        self._jitter = jitter
        self._ears = ears
        self._proved = 0.0

    async def run(self) -> None:
        """Listen until cancelled, on one connection after the other."""
        pause = _FIRST_PAUSE
        while True:
            try:
                connection = await self._connect()
            except StorageError as error:
                _log.warning("Other hubs cannot be heard: %s", error)
            else:
                if await self._use(connection):
                    pause = _FIRST_PAUSE
            await self._clock.sleep(pause * (0.5 + self._jitter()))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _use(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Listen on a connection until it ends or falls silent; return whether it was of any use."""
        began = self._proved = self._clock.monotonic()
        hearing = asyncio.create_task(self._hear(connection), name="listening to other hubs")
        try:
            while not hearing.done() and self._clock.monotonic() - self._proved < _SILENCE:
                await asyncio.wait((hearing,), timeout=_PROOF_INTERVAL)
        finally:
            self._ears.lost()
            _cut(connection)
            hearing.cancel()
            await asyncio.wait((hearing,), timeout=_UNWIND)
            # When the whole server is silent, the driver waits for longer to be let go; nobody waits for it.
            hearing.add_done_callback(_error_of)
            await connection.close()
        error = _error_of(hearing) if hearing.done() else None
        if error is not None:
            _log.warning("The connection on which other hubs are heard has ended (%s)", type(error).__name__)
        else:
            _log.warning("The connection on which other hubs are heard was silent and is replaced")
        return self._proved > began

    async def _hear(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # A lost proof costs nothing, so that nobody needs to wait for a disk.
        await connection.execute("SET synchronous_commit = off")
        own = f"{CHANNEL}_{self._origin}"
        for channel in (CHANNEL, own):
            await connection.execute(f'LISTEN "{channel}"'.encode())
        self._ears.listening()
        while True:
            now = repr(self._clock.monotonic())
            await connection.execute("SELECT pg_notify(%s, %s)", (own, now))
            async for said in connection.notifies(timeout=_PROOF_INTERVAL):
                if said.channel == own:
                    self._prove(float(said.payload))
                else:
                    self._deliver(said.payload)

    def _prove(self, sent: float) -> None:
        # One of an earlier connection may come late.
        if sent > self._proved:
            self._proved = sent
            self._ears.proved(sent)

    def _deliver(self, text: str) -> None:
        try:
            origin, events = decode_events(text)
        except (msgspec.MsgspecError, ValueError):
            _log.warning("Something on the channel %s cannot be read: everything is looked at anew", CHANNEL)
            self._ears.listening()
            return
        if origin != self._origin:
            for event in events:
                self._ears.deliver(event)


def _error_of(hearing: asyncio.Task[None]) -> BaseException | None:
    return None if hearing.cancelled() else hearing.exception()


def _cut(connection: psycopg.AsyncConnection[Any]) -> None:
    """End a connection below the driver, which would wait for a server that does not answer."""
    with suppress(Exception), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
