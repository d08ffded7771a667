"""The life of the process: listen, serve until told to stop, finish what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import uvloop

from carrel.dataplane.certificates import Certificates
from carrel.dataplane.control import Control, Status
from carrel.dataplane.control_server import Answer, Bounds, ControlConnection
from carrel.dataplane.fleet import Fleet
from carrel.dataplane.forker import Forker
from carrel.dataplane.front import Alone, Front
from carrel.dataplane.listeners import Endpoint, Listener, listening, port_of, sharing
from carrel.dataplane.options import Options, program_version
from carrel.dataplane.redirect import Redirect
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.serving import accepting, collect_rarely, make_engine
from carrel.dataplane.status_file import (
    ProcessStatus,
    remove_pid,
    remove_status,
    start_ticks,
    write_pid,
    write_status,
)
from carrel.dataplane.storage import RouteFile
from carrel.dataplane.template import fork_template, spawn_template
from carrel.dataplane.worker import Job
from carrel.lib.clock import SystemClock

_SMALL = Bounds(body_bytes=64 * 1024, seconds=30.0)


def run(options: Options, arguments: Sequence[str], token: str, log: logging.Logger) -> None:
    """Serve until SIGTERM, SIGINT or a call to shut down; `arguments` are those that gave the options.

    Raises CannotListenError, BadTlsError, and OSError for a file or when no workers start.
    """
    certificates = Certificates(options)
    with sharing(options.public, options.workers) as sockets:
        collect_rarely()
        make_front = _fleet if options.workers > 1 else _alone
        front = make_front(options, arguments, sockets, certificates, log)
        public = Listener(sockets[0], certificates.public)
        uvloop.run(serve(options, token, log, certificates, public, front))


def _alone(
    options: Options,
    arguments: Sequence[str],
    sockets: Sequence[socket.socket],
    certificates: Certificates,
    log: logging.Logger,
) -> Callable[[RouteTable], Front]:
    """Return what forwards in this process."""
    listener = Listener(sockets[0], certificates.public)

    def make(table: RouteTable) -> Front:
        return Alone(make_engine(options, options.limits, table, certificates, log), listener, certificates)

    return make


def _fleet(
    options: Options,
    arguments: Sequence[str],
    sockets: Sequence[socket.socket],
    certificates: Certificates,
    log: logging.Logger,
) -> Callable[[RouteTable], Front]:
    """Return what forwards in others; the one that these are forked from is forked before there is a loop."""
    first = fork_template(sockets, certificates, Job(options, certificates, log))
    clock = SystemClock()
    forker = Forker(first, lambda: spawn_template(sockets, arguments), log, clock)
    return lambda table: Fleet(table, forker, sockets, options.limits.drain_seconds, clock, log)


async def serve(
    options: Options,
    token: str,
    log: logging.Logger,
    certificates: Certificates,
    public: Listener,
    make_front: Callable[[RouteTable], Front],
) -> None:
    """Run until told to stop."""
    table = RouteTable(SystemClock(), options.default_target, prepend_path=options.prepend_path)
    front = make_front(table)
    version, url = program_version(), public.url
    stopped = asyncio.Event()
    _on_signals(stopped, certificates, front, log)
    async with contextlib.AsyncExitStack() as stack:
        api = Listener(stack.enter_context(listening(options.api)), certificates.api)
        # Only who has the ports may write the file: another process may run, started with the same flags.
        file = None if options.storage is None else RouteFile(options.storage, table, log, SystemClock())
        if file is not None:
            await file.open()
        await stack.enter_async_context(front.serving())

        def status() -> Status:
            return Status(version, os.getpid(), url, len(table), front.load, front.workers, table.number)

        control = Control(table, token, status, stopped.set, front.metrics)
        answer = functools.partial(ControlConnection, front.answering(control.answer), Bounds())
        await stack.enter_async_context(accepting(api, answer, options.limits))
        # Connections that there are by then stay open for as long as answers are under way.
        stack.callback(control.end)
        if file is not None:
            # Closed before the API is: who finds that gone may start a process that takes the file over.
            stack.push_async_callback(file.close)
        stack.push_async_callback(front.refresh)
        await _open_extras(stack, options, front)
        stack.enter_context(_announced(options, public, api))
        _greet(log, public, api, table, token)
        for note in options.notes:
            log.warning("%s", note)
        await front.complete()
        await stopped.wait()
        log.info("Stopping: answers under way have %g s", options.limits.drain_seconds)


async def _open_extras(stack: contextlib.AsyncExitStack, options: Options, front: Front) -> None:
    """Open the listeners that only some ask for: metrics, and the redirect to HTTPS."""
    answers: tuple[tuple[Endpoint | None, Answer], ...] = (
        (options.metrics, front.answering(front.metrics.answer)),
        (options.redirect, Redirect(options.redirect_to).answer),
    )
    for endpoint, answer in answers:
        if endpoint is not None:
            listener = Listener(stack.enter_context(listening(endpoint)))
            make = functools.partial(ControlConnection, answer, _SMALL)
            await stack.enter_async_context(accepting(listener, make, options.limits))


def _on_signals(
    stopped: asyncio.Event, certificates: Certificates, front: Front, log: logging.Logger
) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    async def reload() -> None:
        failed = certificates.reload()
        front.reload()
        # Reports come after what was asked for before.
        await front.refresh()
        if failed:
            log.error("Certificates stay as they were: %s", failed)
        else:
            log.info("Certificates were read again")

    tasks: set[asyncio.Task[None]] = set()

    def begin() -> None:
        task = loop.create_task(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, begin)


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
