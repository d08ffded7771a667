"""The data plane, and the driver through which hubs set its routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from carrel.domain.routes import Route
from carrel.proxy.base import OutOfStep, Proxy, Unreachable, differs
from tests.simulation.world import PATIENCE, Call, Line, Refused, World

T = TypeVar("T")
Table = dict[str, dict[str, Any]]


class Behind(Refused):
    """The data plane has begun anew, and takes nothing but a whole table."""


class Plane:
    """A table of routes that outlives hubs, and is empty after each of its own starts.

    `changed` is told of each change that a hub still waits for: the path, and the target or nothing.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.table: Table = {}
        self.starts = 1
        #: Some know when they have begun anew, and can be given a whole table at once.
        self.keeps_step = world.draw("plane's kind").random() < 0.5
        self.changed: Callable[[str, str], None] = lambda spec, target: None

    def restart(self) -> None:
        """End and start anew."""
        self._world.note("plane", "restarted, empty")
        self.table.clear()
        self.starts += 1

    def put(self, call: Call[Any], seen: int, spec: str, target: str, data: Mapping[str, Any]) -> None:
        """Set a route; `seen` is the start of the data plane that the hub knows of."""
        self._check_step(seen)
        if call.awaited:
            self.changed(spec, target)
        self._world.note("plane", f"{spec} -> {target}")
        self.table[spec] = {"routespec": spec, "target": target, "data": dict(data)}

    def drop(self, call: Call[Any], seen: int, spec: str) -> None:
        """Remove a route."""
        self._check_step(seen)
        if call.awaited and spec in self.table:
            self.changed(spec, "")
        self._world.note("plane", f"{spec} -> nothing")
        self.table.pop(spec, None)

    def replace(self, call: Call[Any], routes: Mapping[str, Route]) -> int:
        """Set the whole table, and return which start it was set at."""
        for spec in self.table.keys() - routes.keys():
            self.drop(call, self.starts, spec)
        for spec, route in routes.items():
            if differs(route, self.table.get(spec)):
                self.put(call, self.starts, spec, route.target, route.data)
        return self.starts

    def _check_step(self, seen: int) -> None:
        if self.keeps_step and seen != self.starts:
            raise Behind("a change was missed")


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
        await self._ask("route", lambda call: self._plane.put(call, self._seen, routespec, target, data))

    async def delete_route(self, routespec: str) -> None:
        """Remove a route."""
        await self._ask("route", lambda call: self._plane.drop(call, self._seen, routespec))

    async def get_all_routes(self) -> Table:
        """Return the table."""
        return await self._ask("table", lambda _call: dict(self._plane.table))

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        """Set the table: at once where the data plane can take it so."""
        if self._plane.keeps_step:
            self._seen = await self._ask("table", lambda call: self._plane.replace(call, routes))
        else:
            await super().put_routes(routes)

    async def _ask(self, op: str, effect: Callable[[Call[T]], T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._line.call(op, effect)
        except Behind as error:
            raise OutOfStep("the simulated data plane missed a change") from error
        except (TimeoutError, Refused) as error:
            raise Unreachable(f"the simulated data plane: {error}") from error
