"""Drivers that were written for JupyterHub, whose hub calls them differently.

There `start` is called once, and what it started ends with the hub. Here a data plane outlives its hub and is
looked after: `PluggedProxy` stands between.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from traitlets import Any as AnyTrait
from traitlets import Bool, Unicode, default

from carrel.domain.routes import Route
from carrel.lib.awaiting import resolve
from carrel.lib.process_table import Process, find, is_alive
from carrel.lib.processes import send, wait_until_gone
from carrel.proxy.base import Proxy, ProxyError, Unreachable, differs
from carrel.proxy.stored import write_atomically

_END_LIMIT = 10.0
#: Methods of JupyterHub's class that our hub never calls: what a driver does in them does not happen.
_NEVER_CALLED = (
    *("add_user", "delete_user", "add_service", "delete_service", "add_hub_route"),
    *("add_all_users", "add_all_services", "restore_routes"),
)


class PluginProxy(Proxy):
    """What drivers for JupyterHub derive from; all of its methods may be sync or async.

    A driver overrides `add_route`, `delete_route` and `get_all_routes`, and `start` and `stop` if it runs a
    program. What these raise is told in the log, and tried again.
    """

    hub = AnyTrait(help="Where the hub is, set by the hub.")
    app = AnyTrait(help="JupyterHub's application: there is none.")
    ssl_key = Unicode(help="The file of the public address' key; set by the hub.").tag(by_hub=True)
    ssl_cert = Unicode(help="The file of the public address' certificate; set by the hub.").tag(by_hub=True)
    host_routing = Bool(False, help="Whether routes begin with a host; set by the hub.").tag(by_hub=True)
    wanted: Mapping[str, Route] = {}
    """All routes that there should be; `check_routes` sees to it."""

    def validate_routespec(self, routespec: str) -> str:
        """Return a route's path with a slash at its end; raise ValueError when its form is not the hub's."""
        if routespec.startswith("/") == self.host_routing:
            form = "begin with a host" if self.host_routing else "begin with a slash: hosts are not routed by"
            raise ValueError(f"the route {routespec!r} must {form}")
        return routespec if routespec.endswith("/") else f"{routespec}/"

    async def get_route(self, routespec: str) -> dict[str, Any] | None:
        """Return the entry of `get_all_routes` for a path, None without one."""
        table: dict[str, dict[str, Any]] = await resolve(self.get_all_routes())
        return table.get(self.validate_routespec(routespec))

    async def check_routes(self, user_dict: Any, service_dict: Any, routes: Any = None) -> None:
        """Make the table equal to `wanted`; `routes` is the table, when the caller has it already."""
        present = await resolve(self.get_all_routes()) if routes is None else routes
        for spec in present.keys() - self.wanted.keys():
            await resolve(self.delete_route(spec))
        # The hub's own comes last: what it is asked for until then would be called stopped.
        for spec, route in sorted(self.wanted.items(), reverse=True):
            if differs(route, present.get(spec)):
                await resolve(self.add_route(spec, route.target, dict(route.data)))


class PluggedProxy(Proxy):
    """Drives a data plane through a driver that was written for JupyterHub.

    The program that `start` leaves in the driver's attributes is noted in `record`: when the hub is killed
    it serves on, and the next hub ends it before it has its own started, since nobody else knows it.
    """

    def __init__(self, make: Callable[[], PluginProxy], record: Path, **values: Any) -> None:
        super().__init__(**values)
        self._make = make
        self._record = record
        self._begun = False

    @cached_property
    def plugin(self) -> PluginProxy:
        """The driver; made when it is first asked for, since some do their work from then on."""
        plugin = self._make()
        for name in _NEVER_CALLED:
            if hasattr(plugin, name):
                self.log.warning("%s.%s() is never called by this hub", type(plugin).__name__, name)
        return plugin

    @default("extra_routes")
    def _default_extra_routes(self) -> dict[str, str]:
        table: dict[str, str] = self.plugin.extra_routes
        return table

    @property
    def of_this_hub(self) -> bool:
        return bool(self.plugin.should_start)

    @property
    def ends_with_hub(self) -> bool:
        """It does, as under JupyterHub: drivers keep in files what only `stop` removes."""
        return self.of_this_hub

    async def start(self) -> bool:
        """Have the driver start its program, unless it runs; return True when that was done or is the first.

        Without `should_start` it must be running already.
        """
        if self._begun and (not self.plugin.should_start or all(map(is_alive, self._noted()))):
            return False
        if self.plugin.should_start:
            if self._begun:
                self.log.error("The program of %s has ended; starting it anew", self._name)
            await self._end_noted()
            async with self._told("start"):
                await resolve(self.plugin.start())
            self._note()
        self._begun = True
        return True

    async def stop(self) -> bool:
        """Have the driver stop its program, and return whether one was running."""
        if not self.plugin.should_start:
            return False
        running = any(map(is_alive, self._noted()))
        if self._begun:
            self._begun = False
            async with self._told("stop"):
                await resolve(self.plugin.stop())
        await self._end_noted()
        return running

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        async with self._told("add_route"):
            await resolve(self.plugin.add_route(routespec, target, dict(data)))

    async def delete_route(self, routespec: str) -> None:
        async with self._told("delete_route"):
            await resolve(self.plugin.delete_route(routespec))

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        async with self._told("get_all_routes"):
            table: dict[str, dict[str, Any]] = await resolve(self.plugin.get_all_routes())
            return table

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        """Make the table equal to `routes`, by the driver's `check_routes`."""
        self.plugin.wanted = routes
        async with self._told("check_routes"):
            await resolve(self.plugin.check_routes({}, {}))

    @property
    def _name(self) -> str:
        return type(self.plugin).__name__

    @asynccontextmanager
    async def _told(self, method: str) -> AsyncIterator[None]:
        """Turn whatever a driver raises into what the hub tries again."""
        try:
            yield
        except ProxyError:
            raise
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self._name}.{method}(): {error or type(error).__name__}") from error
        except Exception as error:
            raise ProxyError(f"{self._name}.{method}() raised {type(error).__name__}: {error}") from error

    def _note(self) -> None:
        held = (*self.plugin.__dict__.values(), *self.plugin._trait_values.values())
        pids = {value.pid for value in held if isinstance(getattr(value, "pid", None), int)}
        processes = [process for pid in pids if (process := find(pid)) is not None]
        write_atomically(self._record, msgspec.json.encode(processes))

    def _noted(self) -> list[Process]:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=list[Process])
        except (OSError, ValueError):
            return []

    async def _end_noted(self) -> None:
        for process in self._noted():
            if is_alive(process):
                send(process, signal.SIGTERM)
                if not await wait_until_gone(process, _END_LIMIT):
                    send(process, signal.SIGKILL)
                    await wait_until_gone(process, _END_LIMIT)
        self._record.unlink(missing_ok=True)
