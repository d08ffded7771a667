"""HAProxy as the data plane: started by the hub and left running when it goes, or run by somebody else.

Routes are changed over the runtime socket, without a reload. What HAProxy holds is the table; the map file is
rewritten after every change, so that HAProxy starts with the last known routes whoever starts it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets import Float, Instance, Int, Unicode, default

from carrel.domain.routes import Route
from carrel.lib.awaiting import in_thread
from carrel.lib.clock import Clock, SystemClock, isoformat
from carrel.lib.process_table import Process
from carrel.proxy.base import Proxy, ProxyError, Unreachable
from carrel.proxy.engine_process import EngineProcess, find_program, wait_for_port
from carrel.proxy.haproxy_activity import ActivityRecord
from carrel.proxy.haproxy_config import ACTIVITY_TABLE, Hub, Layout, configuration
from carrel.proxy.haproxy_entries import key_of, place_of, row_of, told_by, value_of
from carrel.proxy.haproxy_socket import RuntimeSocket
from carrel.proxy.stored import write_atomically

_PID = re.compile(r"^Pid: (\d+)$", re.MULTILINE)
#: A word in HAProxy's configuration and on its socket, without quoting.
_PLAIN_PATH = re.compile(r"/[^\s,;()'\"\\#|]+")


class HAProxyProxy(Proxy):
    """Drives HAProxy 2.6 or later."""

    ip = Unicode(help="The address that the public listens on; set by the hub.").tag(by_hub=True)
    port = Int(8000, help="The port that the public listens on; set by the hub.").tag(by_hub=True)
    directory = Unicode("carrel-run", help="Where the driver keeps its files; set by the hub.").tag(
        by_hub=True
    )
    command = Unicode("haproxy", help="The program: a name that is looked up, or a path.").tag(config=True)
    bind_options = Unicode(
        help="Put after the address in HAProxy's `bind` line: `ssl crt /etc/carrel/tls.pem alpn h2,http/1.1`."
    ).tag(config=True)
    extra_global = Unicode(help="Lines for the `global` section of HAProxy's configuration.").tag(config=True)
    extra_frontend = Unicode(help="Lines for the `frontend`, before the hub's own.").tag(config=True)
    runtime_socket = Unicode(
        help="HAProxy's runtime socket, level admin: a path, or ADDRESS:PORT. "
        "Empty: haproxy.sock in the runtime directory."
    ).tag(config=True)
    map_file = Unicode(
        help="The map's file, as HAProxy's configuration names it. "
        "Empty: haproxy-routes.map in the runtime directory."
    ).tag(config=True)
    activity_interval = Float(30.0, help="How often HAProxy's counters are looked at, in seconds.").tag(
        config=True
    )

    _clock: Clock = SystemClock()
    _lock = Instance(asyncio.Lock, ())
    _activity = Instance(ActivityRecord)
    _table: dict[str, str] | None = None
    _pid = 0
    _looked = 0.0

    @default("_activity")
    def _activity_default(self) -> ActivityRecord:
        return ActivityRecord(self._file("haproxy-activity.json"), self._clock)

    async def start(self) -> bool:
        """Take over the HAProxy that runs, or start one; return True when it is not that of last time.

        Without `should_start` it must be running already. One that was started with other settings is
        replaced; its open connections go on in the old process. Raises ProxyError and CannotListen.
        """
        async with self._lock:
            pid = await self._running()
            if self.should_start:
                pid = await self._ensure(pid)
            elif pid is None:
                raise ProxyError(
                    f"no HAProxy answers at {self._socket_address()}: start it, or let the hub do so with "
                    "c.HAProxyProxy.should_start = True"
                )
            fresh, self._pid = pid != self._pid, pid
            if fresh:
                self._table = await self._load()
            if fresh or self._clock.monotonic() - self._looked >= self.activity_interval:
                await self._look(self._table if self._table is not None else await self._load())
            return fresh

    async def stop(self) -> bool:
        """End the HAProxy that the hub started, and return whether one was running."""
        if not self.should_start:
            return False
        async with self._lock:
            self._pid = 0
            return await self._process.end()

    async def close(self) -> None:
        """Write down what is known of the routes' activity; may be repeated."""
        if self._table is not None:
            await self._note(self._table)

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        async with self._lock:
            await self._change({key_of(routespec): await self._value(routespec, target, data)}, set())

    async def delete_route(self, routespec: str) -> None:
        async with self._lock:
            await self._change({}, {key_of(routespec)})

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        values = {}
        for spec, route in routes.items():
            try:
                values[key_of(spec)] = await self._value(spec, route.target, route.data)
            except ProxyError as error:
                # One bad address must not keep all others from being set.
                self.log.error("Route %s is left as it is: %s", spec, error)
        async with self._lock:
            self._table = await self._load()
            await self._change(values, self._table.keys() - set(map(key_of, routes)))

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        async with self._lock:
            table = self._table = await self._load()
            await self._look(table)
            found = {}
            for key, value in table.items():
                if (told := told_by(value)) is not None:
                    moved = self._activity.last(row_of(key))
                    data = told.data if moved is None else told.data | {"last_activity": isoformat(moved)}
                    found[told.spec] = {"routespec": told.spec, "target": told.target, "data": data}
            return found

    async def _change(self, values: Mapping[str, str], gone: set[str]) -> None:
        """Set and remove entries, first in HAProxy and then in the file; the lock must be held."""
        table = self._table if self._table is not None else await self._load()
        name = self._map_name()
        gone = gone & table.keys()
        changed = {key for key, value in values.items() if key in table and table[key] != value}
        commands = [f"del map {name} {key}" for key in gone]
        commands += [f"set map {name} {key} {values[key]}" for key in changed]
        commands += [f"add map {name} {key} {value}" for key, value in values.items() if key not in table]
        if not commands:
            return
        # Until all is done nobody knows what HAProxy holds.
        self._table = None
        await self._runtime().tell(commands)
        table = {key: value for key, value in table.items() if key not in gone} | dict(values)
        for key in values.keys() - gone:
            self._activity.begin(row_of(key))
        self._table = table
        await self._store(table)

    async def _load(self) -> dict[str, str]:
        """Return the map as HAProxy has it."""
        answer = await self._runtime().ask(f"show map {self._map_name()}")
        if answer.startswith("Unknown map"):
            raise ProxyError(
                f"HAProxy at {self._socket_address()} has no map {self._map_name()}: name the map of its "
                "configuration with c.HAProxyProxy.map_file"
            )
        rows = (line.split(" ", 2) for line in answer.splitlines() if line)
        table = {row[1]: row[2] for row in rows if len(row) == 3}
        for key in table:
            if self._activity.last(row_of(key)) is None:
                self._activity.begin(row_of(key))
        return table

    async def _look(self, table: Mapping[str, str]) -> None:
        self._looked = self._clock.monotonic()
        self._activity.note(await self._runtime().ask(f"show table {ACTIVITY_TABLE}"))
        await self._note(table)

    async def _note(self, table: Mapping[str, str]) -> None:
        activity = self._activity.content({row_of(key) for key in table})
        try:
            await in_thread(write_atomically, self._file("haproxy-activity.json"), activity)
        except OSError as error:
            self.log.error("The routes' activity could not be written: %s", error)

    async def _store(self, table: Mapping[str, str]) -> None:
        lines = "".join(f"{key} {value}\n" for key, value in table.items())
        try:
            await in_thread(write_atomically, Path(self._map_name()), lines.encode())
        except OSError as error:
            self.log.error("The routes could not be written (HAProxy has them): %s", error)

    async def _value(self, spec: str, target: str, data: Mapping[str, Any]) -> str:
        return value_of(spec, target, await self._address(target), data)

    async def _address(self, target: str) -> tuple[str, int]:
        """Return the address behind a target; HAProxy itself looks no names up."""
        host, port = place_of(target)
        try:
            return str(ip_address(host)), port
        except ValueError:
            pass
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ProxyError(f"the host of {target} cannot be found ({why})") from None
        return str(found[0][4][0]), port

    async def _ensure(self, pid: int | None) -> int:
        """Return the pid of an HAProxy with our configuration, started if need be."""
        text = await self._configuration()
        process = self._process
        if pid is not None and process.was_started_with(text):
            return pid
        if pid is not None:
            self.log.warning("HAProxy was started with other settings; replacing it")
        else:
            # Several HAProxies of one account would share the port without a word.
            await wait_for_port(self.ip, self.port)
        Path(self._map_name()).touch(mode=0o600)
        handing_over = [] if pid is None else ["-sf", str(pid)]
        argv = [self._program(), "-db", "-f", str(process.configuration), *handing_over]
        started = await process.start(argv, text, self._answers, _complaint)
        self.log.info("Started HAProxy on %s (pid %d)", self.public_url, started.pid)
        return started.pid

    async def _answers(self, process: Process) -> bool:
        return await self._running() == process.pid

    def _program(self) -> str:
        found = find_program(self.command)
        if found is None:
            raise ProxyError(
                f"there is no program {self.command!r}: install HAProxy (apt install haproxy), "
                "or name it with c.HAProxyProxy.command"
            )
        return found

    async def _running(self) -> int | None:
        try:
            found = _PID.search(await self._runtime().ask("show info"))
        except Unreachable:
            return None
        return int(found[1]) if found else None

    async def _configuration(self) -> str:
        layout = Layout(
            ip=self.ip,
            port=self.port,
            bind_options=f"{self.bind_options}{self._certificate()}",
            socket=self._socket_address(),
            extra_global=self.extra_global,
            extra_frontend=self.extra_frontend,
        )
        home = f"{urlsplit(self.public_url).path or '/'}hub/home"
        address = await self._address(self.hub_url)
        return configuration(layout, Hub(address=address, home=home, map_file=self._map_name()))

    def _certificate(self) -> str:
        """Return what ends the `bind` line when the hub's settings ask for TLS; HAProxy takes one file."""
        if not self.ssl_cert or re.search(r"\bcrt\b", self.bind_options):
            return ""
        pair = self._file("haproxy-tls.pem")
        parts = [Path(name).read_bytes() for name in (self.ssl_cert, self.ssl_key) if name]
        content = b"\n".join(parts)
        if not pair.exists() or pair.read_bytes() != content:
            write_atomically(pair, content)
        # HAProxy is started anew when its configuration changes, and so it is for a new certificate.
        mark = hashlib.blake2b(content, digest_size=8).hexdigest()
        return f" ssl crt {_plain(pair)} alpn h2,http/1.1 # {mark}"

    @property
    def _process(self) -> EngineProcess:
        return EngineProcess("HAProxy", Path(os.path.realpath(self.directory)), "haproxy.cfg")

    def _runtime(self) -> RuntimeSocket:
        return RuntimeSocket(self._socket_address())

    def _socket_address(self) -> str:
        return self.runtime_socket or _plain(self._file("haproxy.sock"))

    def _map_name(self) -> str:
        return self.map_file or _plain(self._file("haproxy-routes.map"))

    def _file(self, name: str) -> Path:
        return Path(os.path.realpath(self.directory)) / name


def _complaint(log: str) -> str:
    alerts = [line.partition(" : ")[2].strip() for line in log.splitlines() if line.startswith("[ALERT]")]
    return alerts[0] if alerts else ""


def _plain(path: Path) -> str:
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise ProxyError(f"HAProxy cannot use the path {path}: choose another runtime_dir")
    return str(path)
