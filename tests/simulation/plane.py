"""The data plane, and the driver through which hubs set its routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from carrel.proxy.base import Proxy, ProxyError
from tests.simulation.world import PATIENCE, Call, Line, Refused, World

T = TypeVar("T")
Table = dict[str, dict[str, Any]]


class Plane:
    """A table of routes that outlives hubs, and is empty after each of its own starts.

    `changed` is told of each change that a hub still waits for: the path, and the target or nothing.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.table: Table = {}
        self.starts = 1
        self.changed: Callable[[str, str], None] = lambda spec, target: None

    def restart(self) -> None:
        """End and start anew."""
        self._world.note("plane", "restarted, empty")
        self.table.clear()
        self.starts += 1

    def put(self, call: Call[None], spec: str, target: str, data: Mapping[str, Any]) -> None:
        """Set a route."""
        if call.awaited:
            self.changed(spec, target)
        self._world.note("plane", f"{spec} -> {target}")
        self.table[spec] = {"routespec": spec, "target": target, "data": dict(data)}

    def drop(self, call: Call[None], spec: str) -> None:
        """Remove a route."""
        if call.awaited and spec in self.table:
            self.changed(spec, "")
        self._world.note("plane", f"{spec} -> nothing")
        self.table.pop(spec, None)


class SimProxy(Proxy):
    """A driver that waits for an answer as long as an HTTP client would."""

    def __init__(self, plane: Plane, line: Line, **options: Any) -> None:
        super().__init__(**options)
        self._plane = plane
        self._line = line
        self._seen = 0

    async def start(self) -> bool:
        """Return whether the data plane has begun anew since the last look."""
        starts = await self._ask("table", lambda _call: self._plane.starts)
        fresh, self._seen = starts != self._seen, starts
        return fresh

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        """Set a route."""
        await self._ask("route", lambda call: self._plane.put(call, routespec, target, data))

    async def delete_route(self, routespec: str) -> None:
        """Remove a route."""
        await self._ask("route", lambda call: self._plane.drop(call, routespec))

    async def get_all_routes(self) -> Table:
        """Return the table."""
        return await self._ask("table", lambda _call: dict(self._plane.table))

    async def _ask(self, op: str, effect: Callable[[Call[T]], T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._line.call(op, effect)
        except (TimeoutError, Refused) as error:
            raise ProxyError(f"the simulated data plane: {error}") from error
