"""Finding what runs in the world and what no row has a checkpoint of.

A hub can be killed between the start of a process and its checkpoint. What it started carries the server's id
and generation, so that the next hub finds it and takes it over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from carrel.core.context import HubContext
from carrel.core.runs import Owner, build_driver
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.lib.awaiting import resolve_within
from carrel.lib.registry import name_of
from carrel.lifecycle import drive
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Orphan


class Finder:
    """Asks the drivers what runs in the world that no row has a checkpoint of."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[Sequence[Orphan]] | None = None

    async def look(self) -> Sequence[Orphan]:
        """Return what runs untracked; raises whatever the driver raises, and TimeoutError.

        Everybody who asks before a look begins shares it: after a crash, fifty starts are recovered at once.
        """
        if not any(map(drive.finds_orphans, self._ctx.spawners.all())):
            return ()
        if self._next is None:
            self._next = asyncio.create_task(self._look_in_turn(), name="look for orphans")
        return await asyncio.shield(self._next)

    async def take_over(self, server: Server, driver: Spawner) -> bool:
        """Have `driver` take over the untracked process of the run that `server` is in, if there is one.

        Raises what `look` raises: not to know is not to have none.
        """
        name = name_of(type(driver))
        for orphan in await self.look():
            run = (orphan.server_id, orphan.generation, orphan.spawner)
            mine = run == (server.id, server.generation, name)
            if mine and await resolve_within(driver.recognize(orphan), drive.CALL_LIMIT):
                return True
        return False

    async def _look_in_turn(self) -> Sequence[Orphan]:
        async with self._turn:
            self._next = None
            async with self._ctx.store.read() as tx:
                known = await tx.servers.tracked()
            names = [name_of(cls) for cls in self._ctx.spawners.all() if drive.finds_orphans(cls)]
            return [orphan for name in names for orphan in await self._ask(name, known)]

    async def _ask(self, spawner: str, known: Collection[tuple[int, int]]) -> Sequence[Orphan]:
        """Return what drivers of one class say, marked with it."""
        row = replace(stand_in(0, 0, ""), spawner=spawner)
        seeker = build_driver(self._ctx, row, Owner(User(0, "", admin=False, created=0.0)))
        found: Sequence[Orphan] = await resolve_within(seeker.find_orphans(known), drive.CALL_LIMIT)
        return [replace(orphan, spawner=spawner) for orphan in found]


def stand_in(server_id: int, generation: int, user_name: str) -> Server:
    """Return a row for a driver of what has none."""
    return Server(server_id, 0, user_name, "", created=0.0, generation=generation)
