"""The side that the public sees: an engine, and a listener that hands it connections."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable

from carrel.dataplane.admission import Admission
from carrel.dataplane.certificates import Certificates
from carrel.dataplane.client import ClientConnection
from carrel.dataplane.engine import Engine
from carrel.dataplane.error_pages import ErrorPages
from carrel.dataplane.limits import Limits
from carrel.dataplane.listeners import BACKLOG, Listener
from carrel.dataplane.options import Options
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.silence import MindedClient, MindedUpstream
from carrel.dataplane.upstream import UpstreamConnection
from carrel.lib.clock import SystemClock


def collect_rarely() -> None:
    """Leave what is there to the process's end, and the rest alone for long.

    Connections live long: looking through them all the time costs more than their rare cycles. Those of
    broken ones still have to go before they are megabytes.
    """
    gc.freeze()
    gc.set_threshold(5_000, 10, 20)


def make_engine(
    options: Options, limits: Limits, table: RouteTable, certificates: Certificates, log: logging.Logger
) -> Engine:
    """Return the engine of one process, which takes at most what `limits` says."""
    keep = options.error_page_cache
    pages = ErrorPages(options.error_target, options.error_path, keep_seconds=keep, tls=certificates.client)
    return Engine(
        table,
        pages,
        SystemClock(),
        limits,
        log,
        Admission(limits),
        rewriting=None if options.rewriting.plain else options.rewriting,
        host_routing=options.rewriting.host_routing,
        measured=options.metrics is not None,
        tls=certificates.client,
        make_upstream=MindedUpstream if limits.minds_silence else UpstreamConnection,
    )


@contextlib.asynccontextmanager
async def forwarding(engine: Engine, listener: Listener) -> AsyncIterator[None]:
    """Forward what comes to the listener; ends gracefully, within the limit for that."""
    make = MindedClient if engine.limits.minds_silence else ClientConnection
    task = asyncio.get_running_loop().create_task(engine.run())
    try:
        async with accepting(listener, lambda: make(engine), engine.limits):
            yield
    finally:
        await engine.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def accepting(
    listener: Listener, make: Callable[[], asyncio.Protocol], limits: Limits
) -> AsyncIterator[None]:
    """Accept connections."""
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
