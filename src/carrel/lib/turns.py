"""Long pieces of work that share the event loop with short ones."""

from __future__ import annotations

import asyncio


class Turns:
    """A line for work that takes milliseconds without a break, such as a page of a long list.

    The loop hears of new requests only between its turns, and not in the order in which they came: where it
    does several such pieces in one turn, whoever asked during it may find others served first that asked
    later, and everybody else waits for all of them.
    """

    def __init__(self) -> None:
        self._line = asyncio.Lock()

    async def take(self) -> None:
        """Return when it is the caller's turn: first come, first served, one in each turn of the loop."""
        async with self._line:
            await asyncio.sleep(0)
