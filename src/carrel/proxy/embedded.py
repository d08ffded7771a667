"""Carrel's own data plane: started by the hub, and left running when the hub goes.

The next hub finds it by the files in the runtime directory and takes it over. A data plane that was started
for other addresses is replaced. Its table is watched: see `ledger`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from traitlets import Bool, Int, Unicode

from carrel.domain.routes import Route
from carrel.lib.control_groups.apart import set_apart
from carrel.lib.httpclient import Reply
from carrel.lib.ids import new_token
from carrel.lib.listen import PortInUse
from carrel.lib.net import is_free
from carrel.proxy.base import ProxyError, Unmovable
from carrel.proxy.chp import ConfigurableHTTPProxy, TokenRefused, marked, route_path
from carrel.proxy.ledger import Ledger
from carrel.proxy.stored import keep_first

_START_LIMIT = 15.0
_PORT_IN_USE = 5
_BAD_OPTIONS = 2


class _Detached(subprocess.Popen[bytes]):
    def __del__(self) -> None:
        """It outlives the hub on purpose, so nobody needs to be warned that it was not waited for."""


class CarrelProxy(ConfigurableHTTPProxy):
    """Runs `carrel-proxy` and keeps it running."""

    ip = Unicode(help="The address that the public listens on; set by the hub.").tag(by_hub=True)
    port = Int(8000, help="The port that the public listens on; set by the hub.").tag(by_hub=True)
    socket = Unicode(help="The socket that the public listens on instead; set by the hub.").tag(by_hub=True)
    catch_all = Bool(True, help="Whether the hub has what has no route; set by the hub.").tag(by_hub=True)
    directory = Unicode("carrel-run", help="Where the data plane keeps its files; set by the hub.").tag(
        by_hub=True
    )
    error_target = Unicode(help="Where error pages come from; set by the hub.").tag(by_hub=True)
    workers = Int(
        0,
        min=0,
        max=64,
        help="How many processes of the data plane forward; 0 is one for each core, at most four.",
    ).tag(config=True)
    log_level = Unicode("info", help="How much the data plane logs.").tag(config=True)

    _pid = 0
    _process: subprocess.Popen[bytes] | None = None
    _certificate: tuple[tuple[int, int], ...] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ledger = Ledger(new_token())
        # One change at a time, and none while the table is looked at: they are counted.
        self._turn = asyncio.Lock()

    @property
    def of_this_hub(self) -> bool:
        """Whether this hub runs it."""
        return bool(self.should_start)

    async def start(self) -> bool:
        """Take over the data plane that runs, or start one.

        Without `should_start` it must be running already, whoever has started it and how. Returns True when
        it is not that of last time, or its table was changed by somebody else since.
        """
        async with self._turn:
            status = await (self._ensure() if self.should_start else self._find())
            fresh = bool(status["pid"] != self._pid)
            self._pid = status["pid"]
            return fresh or not self._ledger.agrees(status.get("table"))

    async def _ensure(self) -> dict[str, Any]:
        status = await self._status()
        if status is not None and not self._fits():
            self.log.warning("The data plane was started with other settings; starting it anew")
            await self.stop()
            status = None
        files = self._certificate_files()
        if status is None:
            status = await self._launch()
        elif files != self._certificate:
            # Renewed, or this hub has not seen it before. What does not fit together is not used.
            with contextlib.suppress(OSError):
                os.kill(status["pid"], signal.SIGHUP)
        self._certificate = files
        return status

    def _certificate_files(self) -> tuple[tuple[int, int], ...]:
        """Return what tells the files of the certificate and its key from those before a renewal."""
        found = []
        for name in filter(None, (self.ssl_cert, self.ssl_key)):
            with contextlib.suppress(OSError):
                facts = os.stat(name)
                found.append((facts.st_ino, facts.st_mtime_ns))
        return tuple(found)

    async def stop(self) -> bool:
        """End the data plane, wait until it is gone, and return whether one was running.

        One that is somebody else's (`should_start`) goes on.
        """
        if not self.should_start:
            return False
        if await self._status() is None:
            return False
        await self._call("POST", "/api/shutdown")
        async with asyncio.timeout(_START_LIMIT):
            while await self._status() is not None:
                await asyncio.sleep(0.05)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
            self._process = None
        return True

    async def move(self, api_url: str | None, auth_token: str | None) -> None:
        """Steer another data plane, of those that somebody else runs."""
        if self.should_start:
            raise Unmovable(
                "The hub runs the data plane itself: set c.CarrelProxy.should_start = False first"
            )
        async with self._turn:
            await super().move(api_url, auth_token)
            self._pid = 0
            self._ledger.lost()

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        route = Route(routespec, target, data)
        async with self._turn:
            reply = await self._change("POST", route_path(routespec), self._ledger.next(), marked(route))
            self._ledger.was_added(route, _count(reply))

    async def delete_route(self, routespec: str) -> None:
        async with self._turn:
            reply = await self._change("DELETE", route_path(routespec), self._ledger.next())
            self._ledger.was_deleted(routespec, _count(reply), existed=reply.status == 204)

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        """Make the table equal to `routes`; sends nothing when that is what it holds."""
        async with self._turn:
            if self._ledger.holds(routes):
                status = await self._status()
                if status is not None and self._ledger.agrees(status.get("table")):
                    return
            body = {"routes": {spec: marked(route) for spec, route in routes.items()}}
            reply = await self._change("PUT", "/api/routes", self._ledger.begin(), body)
            self._ledger.was_put(routes, _count(reply))

    async def _change(self, method: str, path: str, change: str, body: object = None) -> Reply:
        accept = (201, 204, 404) if method == "DELETE" else (201, 204)
        try:
            return await self._call(method, path, body, accept, change)
        except BaseException:
            self._ledger.lost()
            raise

    async def _find(self) -> dict[str, Any]:
        status = await self._status()
        if status is None:
            raise ProxyError(
                f"no data plane answers at {self.api_url}: run carrel-proxy there, or set "
                "c.CarrelProxy.should_start = True"
            )
        return status

    async def _status(self) -> dict[str, Any] | None:
        try:
            return msgspec.json.decode((await self._call("GET", "/api/status")).body, type=dict[str, Any])
        except TokenRefused:
            raise
        except ProxyError:
            return None

    async def _launch(self) -> dict[str, Any]:
        status_file = self._file("proxy.json")
        status_file.unlink(missing_ok=True)
        self._file("proxy-arguments.json").write_bytes(msgspec.json.encode(self._arguments()))
        if self._process is not None:
            # It has ended; asking takes it out of the process table.
            self._process.poll()
        process = await asyncio.to_thread(self._spawn)
        self._process = process
        with contextlib.suppress(OSError):
            # A supervisor that ends the hub's control group would end every connection with it.
            await asyncio.to_thread(set_apart, process.pid, f"carrel-proxy-{self.port}")
        async with asyncio.timeout(_START_LIMIT):
            while not status_file.exists():
                if process.poll() is not None:
                    raise self._did_not_start(process.returncode)
                await asyncio.sleep(0.02)
        status = await self._status()
        if status is None:
            raise ProxyError(f"the data plane started and does not answer; see {self._file('proxy.log')}")
        self.log.info("Started the data plane on %s (pid %d)", self.public_url, status["pid"])
        return status

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {
            name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ
        }
        return _Detached(
            [sys.executable, "-m", "carrel.dataplane", *self._arguments()],
            env=environment | _secrets() | {"CONFIGPROXY_AUTH_TOKEN": self._token()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _arguments(self) -> list[str]:
        api_host, _, api_port = self.api_url.rpartition("//")[2].rpartition(":")
        return [
            # Of options that are given twice the last counts, and that is the hub's.
            *self._extra_options(),
            *(("--socket", self.socket) if self.socket else ("--ip", self.ip, "--port", str(self.port))),
            *(("--ssl-cert", self.ssl_cert) if self.ssl_cert else ()),
            *(("--ssl-key", self.ssl_key) if self.ssl_key else ()),
            *("--api-ip", api_host, "--api-port", api_port),
            *(("--default-target", self.hub_url) if self.catch_all else ()),
            *("--error-target", self.error_target),
            *("--storage", str(self._file("routes.json")), "--status-file", str(self._file("proxy.json"))),
            *("--log-file", str(self._file("proxy.log")), "--log-level", self.log_level),
            *(("--host-routing",) if self.host_routing else ()),
            *(("--workers", str(self.workers)) if self.workers else ()),
        ]

    def _extra_options(self) -> list[str]:
        """Return the options of `command`; without a certificate there is nothing to redirect to."""
        words = list(itertools.dropwhile(lambda word: not word.startswith("-"), self.command))
        if self.ssl_cert:
            return words
        idle = ("--redirect-port", "--redirect-to")
        after = [False, *(word in idle for word in words)]
        return [
            word
            for word, is_value in zip(words, after, strict=False)
            if not is_value and word.partition("=")[0] not in idle
        ]

    def _fits(self) -> bool:
        """Tell whether the running data plane was started as we would start it."""
        try:
            return bool(
                msgspec.json.decode(self._file("proxy-arguments.json").read_bytes()) == self._arguments()
            )
        except (OSError, msgspec.DecodeError):
            return False

    def _did_not_start(self, status: int) -> Exception:
        if status == _PORT_IN_USE:
            return PortInUse(self._taken())
        if status == _BAD_OPTIONS:
            return ProxyError(
                "c.ConfigurableHTTPProxy.command has options that carrel-proxy does not take: "
                f"{' '.join(self.command)} (`carrel-proxy --help` lists them)"
            )
        return ProxyError(f"the data plane ended with status {status}; see {self._file('proxy.log')}")

    def _taken(self) -> str:
        """Return which of the two addresses somebody else has, both when that cannot be seen."""
        host, _, port = self.api_url.rpartition("//")[2].rpartition(":")
        public = {} if self.socket else {self.public_url: (self.ip, self.port)}
        with contextlib.suppress(OSError, ValueError):
            places = {**public, self.api_url: (host.strip("[]"), int(port))}
            if taken := [url for url, place in places.items() if not is_free(*place)]:
                return " and ".join(taken)
        return f"{self.public_url} or {self.api_url}"

    def _token(self) -> str:
        # Whoever stands in for a hub that has gone has started nothing, and changes routes all the same.
        if self.should_start:
            self.auth_token = self.auth_token or self._load_token()
        return super()._token()

    def _load_token(self) -> str:
        """Return the token that every hub of this directory shares with its data plane, made on first use."""
        path = self._file("proxy-token")
        try:
            token = path.read_text().strip()
        except FileNotFoundError:
            token = keep_first(path, secrets.token_hex(32).encode()).decode().strip()
        if not token:
            # With an empty one the data plane's API would be open to everybody on this machine.
            raise ProxyError(f"{path} is empty: remove it, and end the data plane that was started with it")
        return token

    def _file(self, name: str) -> Path:
        return Path(self.directory).absolute() / name


def _secrets() -> dict[str, str]:
    """Return the variables that open encrypted TLS keys."""
    return {name: value for name, value in os.environ.items() if name.endswith("SSL_KEY_PASSPHRASE")}


def _count(reply: Reply) -> int | None:
    """Return how often the data plane's table has changed; one of an earlier version tells nothing."""
    text = reply.headers.get("carrel-table", "")
    return int(text) if text.isdecimal() else None
