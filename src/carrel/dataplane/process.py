"""The life of the process: listen, serve until told to stop, finish what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator

from carrel.dataplane.admission import Admission
from carrel.dataplane.certificates import Certificates
from carrel.dataplane.client import ClientConnection
from carrel.dataplane.control import Control, Load, Status
from carrel.dataplane.control_server import Bounds, ControlConnection
from carrel.dataplane.engine import Engine
from carrel.dataplane.error_pages import ErrorPages
from carrel.dataplane.limits import Limits
from carrel.dataplane.listeners import BACKLOG, Listener, listening, port_of
from carrel.dataplane.options import Options, program_version
from carrel.dataplane.redirect import Redirect
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.silence import MindedClient, MindedUpstream
from carrel.dataplane.status_file import (
    ProcessStatus,
    remove_pid,
    remove_status,
    start_ticks,
    write_pid,
    write_status,
)
from carrel.dataplane.storage import RouteFile
from carrel.dataplane.upstream import UpstreamConnection
from carrel.lib.clock import SystemClock

_SMALL = Bounds(body_bytes=64 * 1024, seconds=30.0)


async def serve(options: Options, token: str, log: logging.Logger) -> None:
    """Run until SIGTERM, SIGINT or a call to shut down.

    Raises CannotListenError, BadTlsError, and OSError for a file.
    """
    certificates = Certificates(options, log)
    table = RouteTable(SystemClock(), options.default_target, prepend_path=options.prepend_path)
    engine = _engine(options, table, certificates, log)
    stopped = asyncio.Event()
    _on_signals(stopped, certificates, engine)
    async with contextlib.AsyncExitStack() as stack:
        public = Listener(stack.enter_context(listening(options.public)), certificates.public)
        api = Listener(stack.enter_context(listening(options.api)), certificates.api)
        # Only who has the ports may write the file: another process may run, started with the same flags.
        file = None if options.storage is None else RouteFile(options.storage, table, log, SystemClock())
        if file is not None:
            await file.open()
        await stack.enter_async_context(_running(engine))

        def status() -> Status:
            return Status(
                program_version(), os.getpid(), public.url, len(table), _load(engine), table=table.number
            )

        control = Control(table, token, status, stopped.set, engine.metrics)
        make = MindedClient if options.limits.minds_silence else ClientConnection
        await stack.enter_async_context(_accepting(public, lambda: make(engine), engine.limits))
        answer = functools.partial(ControlConnection, control.answer, Bounds())
        await stack.enter_async_context(_accepting(api, answer, engine.limits))
        if file is not None:
            # Closed before the API is: who finds that gone may start a process that takes the file over.
            stack.push_async_callback(file.close)
        await _open_extras(stack, options, engine)
        stack.enter_context(_announced(options, public, api))
        _greet(log, public, api, table, token)
        for note in options.notes:
            log.warning("%s", note)
        await certificates.complete()
        await stopped.wait()
        log.info("Stopping: answers under way have %g s", options.limits.drain_seconds)


def _engine(options: Options, table: RouteTable, certificates: Certificates, log: logging.Logger) -> Engine:
    keep = options.error_page_cache
    pages = ErrorPages(options.error_target, options.error_path, keep_seconds=keep, tls=certificates.client)
    return Engine(
        table,
        pages,
        SystemClock(),
        options.limits,
        log,
        Admission(options.limits),
        rewriting=None if options.rewriting.plain else options.rewriting,
        host_routing=options.rewriting.host_routing,
        measured=options.metrics is not None,
        tls=certificates.client,
        make_upstream=MindedUpstream if options.limits.minds_silence else UpstreamConnection,
    )


def _load(engine: Engine) -> Load:
    return Load(
        connections=engine.admission.connections,
        tunnels=len(engine.tunnels),
        upgrades=engine.admission.upgrades,
        idle_upstreams=engine.idle_upstreams,
        tasks=len(asyncio.all_tasks()),
    )


async def _open_extras(stack: contextlib.AsyncExitStack, options: Options, engine: Engine) -> None:
    """Open the listeners that only some ask for: metrics, and the redirect to HTTPS."""
    answers = (
        (options.metrics, engine.metrics.answer),
        (options.redirect, Redirect(options.redirect_to).answer),
    )
    for endpoint, answer in answers:
        if endpoint is not None:
            listener = Listener(stack.enter_context(listening(endpoint)))
            make = functools.partial(ControlConnection, answer, _SMALL)
            await stack.enter_async_context(_accepting(listener, make, engine.limits))


def _on_signals(stopped: asyncio.Event, certificates: Certificates, engine: Engine) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    def reload() -> None:
        certificates.reload()
        engine.trust(certificates.client)

    loop.add_signal_handler(signal.SIGHUP, reload)


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
    listener: Listener, make: Callable[[], asyncio.Protocol], limits: Limits
) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    tls = listener.tls
    handshake, farewell = (limits.header_seconds, limits.linger_seconds) if tls else (None, None)
    open_server = functools.partial(
        loop.create_unix_server if listener.socket.family == socket.AF_UNIX else loop.create_server,
        make,
        backlog=BACKLOG,
        ssl_handshake_timeout=handshake,
        ssl_shutdown_timeout=farewell,
    )
    server = await open_server(sock=listener.socket, ssl=tls)
    try:
        yield
    finally:
        server.close()


@contextlib.contextmanager
def _announced(options: Options, public: Listener, api: Listener) -> Iterator[None]:
    pid = os.getpid()
    ports = port_of(public.socket), port_of(api.socket)
    started = SystemClock().now()
    try:
        if options.pid_file is not None:
            write_pid(options.pid_file)
        if options.status_file is not None:
            status = ProcessStatus(pid, start_ticks(pid), started, *ports, public.url, api.url)
            write_status(options.status_file, status)
        yield
    finally:
        if options.status_file is not None:
            remove_status(options.status_file)
        if options.pid_file is not None:
            remove_pid(options.pid_file)


def _greet(log: logging.Logger, public: Listener, api: Listener, table: RouteTable, token: str) -> None:
    log.info("Proxying %s, REST API at %s, %d routes", public.url, api.url, len(table))
    if not token:
        log.warning("CONFIGPROXY_AUTH_TOKEN is not set: the REST API is open to everybody who can reach it")
