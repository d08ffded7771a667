"""How hubs of one database hear of each other: what LISTEN and NOTIFY are to them on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from carrel.domain.events import Event
from carrel.storage.base import Ears
from carrel.testing.simloop import Owner
from tests.simulation.world import World

#: How long a connection that has broken may look as if it were silent, in seconds.
_SILENCE = 2.0


class Wire:
    """All connections on which somebody listens. It outlives hubs, as the database does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._connections: dict[int, Connection] = {}

    def say(self, hub: int, events: Sequence[Event]) -> None:
        """Carry what a hub has said to all the others, each in its own time."""
        for number, connection in self._connections.items():
            if number != hub and events:
                connection.carry(events)

    def connect(self, hub: int, owner: Owner) -> Connection:
        """Return a new connection of a hub; its last one is gone."""
        found = self._connections[hub] = Connection(self._world, hub, owner)
        return found

    def cut(self, hub: int) -> None:
        """Let a hub's connection break: all that is under way is lost, and what comes later."""
        if (connection := self._connections.get(hub)) is not None:
            connection.cut()


class Connection:
    """One hub's ears."""

    def __init__(self, world: World, hub: int, owner: Owner) -> None:
        self._world = world
        self._owner = owner
        self._draw: random.Random = world.draw(f"wire:{hub}")
        self._arrived: list[Event] = []
        self._news = asyncio.Event()
        self._broken = False

    def carry(self, events: Sequence[Event]) -> None:
        """Bring events, unless the connection breaks before they come."""
        delay = self._world.latency(self._draw, 0.02)
        self._world.loop.outside(delay, self._arrive, tuple(events))

    def cut(self) -> None:
        """Break; the hub learns of it a little later."""
        self._broken = True
        self._world.loop.outside(self._draw.random() * _SILENCE, self._news.set)

    async def hear(self, ears: Ears) -> None:
        """Hand on what comes until the connection breaks."""
        loop = self._world.loop
        while True:
            await self._news.wait()
            self._news.clear()
            if self._broken:
                return
            came, self._arrived = self._arrived, []
            # PostgreSQL keeps the order; nothing may depend on it, for a hub hears late of some tables.
            self._draw.shuffle(came)
            for event in came:
                ears.deliver(event)
            ears.proved(loop.time())

    def _arrive(self, events: tuple[Event, ...]) -> None:
        if not self._broken and not self._owner.dead:
            self._arrived += events
            self._news.set()
