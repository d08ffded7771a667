"""HAProxy's runtime socket: commands in, one answer each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from carrel.proxy.base import ProxyError, Unreachable

_LIMIT = 10.0
#: HAProxy reads a line into one buffer, 16 KiB unless its configuration says otherwise.
_LONGEST_LINE = 8000


class RuntimeSocket:
    """The socket at `address`: a file, or `HOST:PORT`. Every call is a connection of its own."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def ask(self, command: str) -> str:
        """Return what HAProxy answers; raise Unreachable."""
        try:
            async with asyncio.timeout(_LIMIT):
                reader, writer = await self._connect()
                try:
                    writer.write(command.encode() + b"\n")
                    return (await reader.read()).decode(errors="replace")
                finally:
                    writer.close()
        except (TimeoutError, OSError) as error:
            raise Unreachable(
                f"HAProxy does not answer at {self._address} ({error or 'too slow'})"
            ) from error

    async def tell(self, commands: Iterable[str]) -> None:
        """Send commands that are silent when they succeed; raise ProxyError with what HAProxy says otherwise.

        Those before and some after the one that failed have been obeyed.
        """
        for line in _lines(commands):
            answer = " ".join((await self.ask(line)).split())
            if answer:
                raise ProxyError(f"HAProxy refuses a change of its map: {answer[:200]}")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "/" in self._address:
            return await asyncio.open_unix_connection(self._address)
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))


def _lines(commands: Iterable[str]) -> Iterable[str]:
    line = ""
    for command in commands:
        if line and len(line) + len(command) >= _LONGEST_LINE:
            yield line
            line = ""
        line = f"{line};{command}" if line else command
    if line:
        yield line
