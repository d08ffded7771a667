"""Open websockets that say something now and then, and notice when nobody answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

#: How many echoes all together ask for in a second.
_RATE = 25.0
_LONGEST_WAIT = 20.0


class Sockets:
    """Websockets through the data plane to servers that nobody stops."""

    def __init__(self, public_url: str) -> None:
        self.broken: list[str] = []
        self.echoes = 0
        self._base = public_url.replace("http", "ws", 1)
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: list[ClientConnection] = []

    def __len__(self) -> int:
        return len(self._connections)

    async def open(self, users: Sequence[str], count: int) -> None:
        """Open `count` websockets, spread over the servers of `users`."""
        for user in itertools.islice(itertools.cycle(users), count):
            url = f"{self._base}user/{user}/echo"
            self._connections.append(
                await connect(
                    url, proxy=None, ping_interval=None, compression=None, open_timeout=_LONGEST_WAIT
                )
            )
        self._tasks = [asyncio.create_task(self._talk(one, n)) for n, one in enumerate(self._connections)]

    async def close(self) -> None:
        """Ask each websocket for a last echo, then close them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._echo(one, f"last {n}") for n, one in enumerate(self._connections)))
        await asyncio.gather(*(one.close() for one in self._connections))

    async def _talk(self, connection: ClientConnection, number: int) -> None:
        for count in itertools.count():
            if not await self._echo(connection, f"{number} {count}"):
                return
            await asyncio.sleep(len(self) / _RATE)

    async def _echo(self, connection: ClientConnection, text: str) -> bool:
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await connection.send(text)
                # The echo to a question that was broken off before may come first.
                while await connection.recv() != text:
                    continue
        except (TimeoutError, OSError, WebSocketException) as error:
            self.broken.append(f"{text}: {error!r}")
            return False
        self.echoes += 1
        return True
