"""The life of the process: listen, serve until told to stop, finish what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import PackageNotFoundError, version

from carrel.dataplane.client import ClientConnection
from carrel.dataplane.control import Control, Status
from carrel.dataplane.control_server import ControlConnection
from carrel.dataplane.engine import Engine
from carrel.dataplane.error_pages import ErrorPages
from carrel.dataplane.options import Options
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.status_file import (
    ProcessStatus,
    remove_pid,
    remove_status,
    start_ticks,
    write_pid,
    write_status,
)
from carrel.dataplane.storage import RouteFile
from carrel.lib.clock import SystemClock

_BACKLOG = 2048


class CannotListenError(Exception):
    """A port is in use or an address not available."""


def listen(ip: str, port: int) -> socket.socket:
    """Return a listening socket; raises CannotListenError with a message for a person."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            ip, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {ip} port {port}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
        raise CannotListenError(f"cannot listen on {ip} port {port}: {reason}") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket, loopback for one that listens everywhere."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(options: Options, token: str, log: logging.Logger) -> None:
    """Run until SIGTERM, SIGINT or a call to shut down; raises CannotListenError, OSError for a file."""
    clock = SystemClock()
    table = RouteTable(clock, options.default_target)
    engine = Engine(table, ErrorPages(options.error_target), clock, options.limits, log)
    stopped = asyncio.Event()
    _on_signals(stopped)
    async with contextlib.AsyncExitStack() as stack:
        if options.storage is not None:
            await stack.enter_async_context(_stored(RouteFile(options.storage, table, log)))
        public = stack.enter_context(contextlib.closing(listen(options.ip, options.port)))
        api = stack.enter_context(contextlib.closing(listen(options.api_ip, options.api_port)))
        await stack.enter_async_context(_running(engine))

        def status() -> Status:
            return Status(_version(), os.getpid(), url_of(public), len(table))

        control = Control(table, token, status, stopped.set)
        await stack.enter_async_context(_accepting(public, api, engine, control))
        stack.enter_context(_announced(options, public, api))
        _greet(log, public, api, table, token)
        await stopped.wait()
        log.info("Stopping: answers under way have %g s", options.limits.drain_seconds)


def _on_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextlib.asynccontextmanager
async def _stored(file: RouteFile) -> AsyncIterator[None]:
    file.load()
    file.start()
    try:
        yield
    finally:
        await file.close()


@contextlib.asynccontextmanager
async def _running(engine: Engine) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(engine.run())
    try:
        yield
    finally:
        await engine.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _accepting(
    public: socket.socket, api: socket.socket, engine: Engine, control: Control
) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: ClientConnection(engine), sock=public, backlog=_BACKLOG),
        await loop.create_server(lambda: ControlConnection(control), sock=api),
    ]
    try:
        yield
    finally:
        for server in servers:
            server.close()


@contextlib.contextmanager
def _announced(options: Options, public: socket.socket, api: socket.socket) -> Iterator[None]:
    pid = os.getpid()
    ports = public.getsockname()[1], api.getsockname()[1]
    started = SystemClock().now()
    try:
        if options.pid_file is not None:
            write_pid(options.pid_file)
        if options.status_file is not None:
            status = ProcessStatus(pid, start_ticks(pid), started, *ports, url_of(public), url_of(api))
            write_status(options.status_file, status)
        yield
    finally:
        if options.status_file is not None:
            remove_status(options.status_file)
        if options.pid_file is not None:
            remove_pid(options.pid_file)


def _greet(
    log: logging.Logger, public: socket.socket, api: socket.socket, table: RouteTable, token: str
) -> None:
    log.info("Proxying %s, REST API at %s, %d routes", url_of(public), url_of(api), len(table))
    if not token:
        log.warning("CONFIGPROXY_AUTH_TOKEN is not set: the REST API is open to everybody who can reach it")


def _version() -> str:
    try:
        return version("carrel")
    except PackageNotFoundError:
        return "unknown"
