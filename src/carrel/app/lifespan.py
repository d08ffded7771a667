"""The order in which the hub's parts start, and what stopping means."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager

from carrel.app.build import open_hub
from carrel.app.first_start import point_at_jupyterhub
from carrel.app.hubs import OtherHubs
from carrel.app.listeners import serve_http
from carrel.app.pidfile import hub_pid_file
from carrel.app.proxies import runtime_directory
from carrel.app.services import OwnServices
from carrel.app.web_app import build_web_app, proxy_addresses
from carrel.config.addresses import socket_path
from carrel.config.chosen import Chosen
from carrel.config.limits import find_unenforced
from carrel.config.schema import Settings
from carrel.config.watching import PeriodicMetricsCollector
from carrel.core.context import HubContext
from carrel.core.runs import warm_up
from carrel.core.servers import change
from carrel.domain.events import Event, ServerChanged, ShutdownWanted, Work, WorkDone
from carrel.domain.servers import Server, Wanted
from carrel.domain.transitions import ask_stop
from carrel.lib.listen import bind_socket, listening_in
from carrel.lifecycle.logs import LogKeeper
from carrel.lifecycle.orphans import OrphanKeeper
from carrel.lifecycle.probe import HttpProbe
from carrel.lifecycle.readiness import Probe
from carrel.lifecycle.reconciler import Reconciler
from carrel.lifecycle.routes import RouteKeeper, collect_activity
from carrel.proxy.base import ProxyError
from carrel.storage.base import StorageUnavailable

_FLUSH_INTERVAL = 1.0
_CHECKPOINT_INTERVAL = 15.0
_PURGE_INTERVAL = 3600.0
_STOP_LIMIT = 90.0
#: How often servers that are stopped are looked at: of another hub's work an event may be missed.
_STOP_LOOK = 2.0
_LAST_ANSWER = 0.2
_LAST_WORDS = 2.0
_PROXY_ATTEMPTS = 3
#: The first seconds are for those who have waited for the hub to be back.
_WARM_UP_AFTER = 3.0
_log = logging.getLogger("carrel.app")


async def run(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
    """Run the hub until a signal or a request to the API, then stop what that or the settings say.

    Returns the exit status.

    That is 1 when the hub ends because too many starts failed in a row (`consecutive_failure_limit`): whoever
    runs it is expected to start it again, and servers and data plane go on. Raises BadConfig, PortInUse,
    StorageError and ProxyError when it cannot start.
    """
    began = time.monotonic()
    stopping = StopRequest()
    stopping.install()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listening(settings))
        point_at_jupyterhub(settings)
        ctx = await stack.enter_async_context(open_hub(settings, fresh=settings.reset_db))
        ctx.bus.listen(stopping.heed)
        ctx.authenticator.check_allow_config()
        tell_of_templates(settings)
        tell_of_limits(ctx)
        stack.enter_context(hub_pid_file(runtime_directory(settings), settings))
        app = build_web_app(ctx, await proxy_addresses(ctx.proxy))
        await stack.enter_async_context(serve_http(app, listener))
        leave_proxy = await stack.enter_async_context(run_workers(ctx, give_up=stopping.give_up))
        if (watch := PeriodicMetricsCollector(config=settings.plugins)).event_loop_interval_enabled:
            pause, slow = watch.event_loop_interval_resolution, watch.event_loop_interval_log_threshold
            measure = asyncio.create_task(ctx.metrics.watch_loop(pause, slow), name="measure of the loop")
            measure.add_done_callback(_complain)
            stack.callback(measure.cancel)
        gc.freeze()
        gc.enable()
        ctx.bus.publish(WorkDone(Work.START_HUB, time.monotonic() - began))
        _log.info("Carrel is at %s", ctx.proxy.public_url)
        if on_ready is not None:
            on_ready()
        for task in _first_tasks(ctx):
            task.add_done_callback(_complain)
            stack.callback(task.cancel)
        await stopping.wait()
        if stopping.given_up:
            return 1
        await stop_world(ctx, stopping, leave_proxy)
    return 0


def tell_of_templates(settings: Settings) -> None:
    """Write to the log what is wrong with the deployer's templates, where there are any."""
    if settings.template_paths:
        from carrel.web.template_check import check_templates

        for flaw in check_templates(settings):
            _log.warning("A template is wrong: %s", flaw)


def tell_of_limits(ctx: HubContext) -> None:
    """Write to the log which limits of servers are set that this machine cannot enforce."""
    classes = type(ctx.authenticator), ctx.spawner_class, type(ctx.proxy)
    for problem in find_unenforced(Chosen(ctx.settings, *classes)):
        _log.error("%s", problem)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Hold the hub's own listening socket; raises CannotListen."""
    path = socket_path(settings.hub_bind_url)
    if path is not None:
        with listening_in(path, settings.hub_socket_mode) as listener:
            yield listener
        return
    with closing(bind_socket(settings.hub_ip, settings.hub_port)) as listener:
        yield listener


@asynccontextmanager
async def run_workers(
    ctx: HubContext,
    *,
    start_proxy: bool = True,
    run_services: bool = True,
    give_up: Callable[[], None] = lambda: None,
    probe: Probe | None = None,
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Run the data plane's watch, the reconciler and the periodic work while the block runs.

    Yields what ends the watch before its time; that may be repeated. Without `start_proxy` only servers are
    looked after, and routes where a data plane happens to run; without `run_services` services are left
    alone. Servers are looked at by HTTP unless a `probe` is given.
    """
    routes = RouteKeeper(ctx)
    reconciler = Reconciler(ctx, probe or HttpProbe(), routes, ctx.peers.owner, give_up)
    services = OwnServices(ctx)
    others = OtherHubs(ctx)
    await others.join()
    try:
        if start_proxy:
            await _start_proxy(ctx, routes)
    except BaseException:
        # The others would leave work to a hub that never was.
        await others.leave()
        raise
    work = others.work() | {
        "reconciler": reconciler.run(),
        "orphans": OrphanKeeper(ctx, reconciler.finder).run(),
        "activity": _flush_activity(ctx),
        "logs": LogKeeper(ctx).run(),
        "checkpoints": _checkpoint(ctx),
    }
    if start_proxy:
        work |= {"routes": routes.run(), "proxy activity": _poll_activity(ctx), "purge": _purge(ctx)}
    if start_proxy and run_services:
        work |= services.work()
    ctx.bus.listen(reconciler.heed)
    ctx.bus.listen(routes.heed)
    tasks = [asyncio.create_task(steps, name=name) for name, steps in work.items()]
    for task in tasks:
        task.add_done_callback(_complain)

    try:
        yield routes.retire
    finally:
        await others.leave()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.stop()
        try:
            await ctx.activity.flush(ctx.store)
        except StorageUnavailable as error:
            _log.warning("The last activity could not be written: %s", error)


async def _start_proxy(ctx: HubContext, routes: RouteKeeper) -> None:
    """Have a data plane with all routes; it may be killed meanwhile, and be started again.

    Raises PortInUse, and ProxyError when it cannot be had.
    """
    for attempt in range(1, _PROXY_ATTEMPTS + 1):
        try:
            await ctx.proxy.start()
            await routes.sync()
        except ProxyError as error:
            if attempt == _PROXY_ATTEMPTS:
                raise
            _log.warning("The data plane did not start: %s; trying again", error)
        else:
            return


class StopRequest:
    """What ends the hub: Ctrl-C is a person at a terminal, SIGTERM a manager that may restart us."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.at_terminal = False
        self.by_api: ShutdownWanted | None = None
        self.given_up = False

    def install(self) -> None:
        """Listen to SIGINT and SIGTERM; a second Ctrl-C ends the process without waiting."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGTERM, self._event.set)

    async def wait(self) -> None:
        """Return when the hub should stop."""
        await self._event.wait()

    def give_up(self) -> None:
        """End the hub without stopping anything else, in a moment: what it answers now still goes out."""
        self.given_up = True
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._event.set)

    def heed(self, event: Event) -> None:
        """End the hub when the API was asked to, in a moment: its answer still goes out."""
        if isinstance(event, ShutdownWanted):
            self.by_api = event
            asyncio.get_running_loop().call_later(_LAST_ANSWER, self._event.set)

    @property
    def name(self) -> str:
        """Return what it was, for the log."""
        return "the API" if self.by_api else "Ctrl-C" if self.at_terminal else "SIGTERM"

    def ends(self, wanted: bool | None, setting: bool | None, *, shared: bool) -> bool:
        """Tell whether something ends with the hub: as was `wanted`, as the setting says, or by itself.

        Left open by both, it does when a person asked, and not when a service manager did. What is `shared`
        with other hubs that go on is not ended by itself: one hub's end is not everybody's.
        """
        if wanted is not None:
            return wanted
        by_person = self.at_terminal or self.by_api is not None
        return by_person and not shared if setting is None else setting

    def _interrupt(self) -> None:
        if self._event.is_set():
            raise KeyboardInterrupt
        self.at_terminal = True
        self._event.set()


async def stop_world(
    ctx: HubContext, request: StopRequest, leave_proxy: Callable[[], Awaitable[None]]
) -> None:
    """End servers and data plane as the request or the settings `cleanup_*` say, and log which it was.

    While other hubs go on, a person who ends this one does not mean everybody's servers. `leave_proxy` ends
    the watch over the data plane.
    """
    settings, name, wanted = ctx.settings, request.name, request.by_api or ShutdownWanted()
    shared = bool(ctx.peers.others)
    if request.ends(wanted.servers, settings.cleanup_servers, shared=shared):
        count = await stop_servers(ctx)
        _log.info("Stopping (%s): %d servers were stopped", name, count)
        if ctx.hub.warm_starts is not None:
            await ctx.hub.warm_starts.close(end=True)
    else:
        _log.info("Stopping (%s): users' servers keep running", name)
    setting = settings.cleanup_proxy
    if setting is None and ctx.proxy.ends_with_hub:
        setting = True
    if request.ends(wanted.proxy, setting, shared=shared):
        # Whoever watches would find it ended and start it anew.
        await leave_proxy()
        try:
            await ctx.proxy.stop()
            _log.info("Stopping (%s): the data plane was stopped", name)
        except ProxyError as error:
            _log.error("The data plane could not be stopped: %s", error)
    else:
        _log.info("Stopping (%s): the data plane keeps running", name)


async def stop_servers(ctx: HubContext) -> int:
    """Stop all servers, waiting until they have stopped; return how many there were.

    Those that somebody asks for meanwhile are stopped, too. The reconciler must be running.
    """
    seen: set[int] = set()
    with ctx.bus.watch(ServerChanged) as watch:
        try:
            async with asyncio.timeout(_STOP_LIMIT):
                while servers := await _active(ctx):
                    seen.update(server.id for server in servers)
                    for server in servers:
                        if server.wanted is Wanted.RUNNING:
                            await change(ctx, server.id, ask_stop, durable=True)
                    await watch.next_within(_STOP_LOOK)
        except TimeoutError:
            _log.error("Some servers did not stop within %g seconds and were left", _STOP_LIMIT)
    return len(seen)


async def _active(ctx: HubContext) -> list[Server]:
    async with ctx.store.read() as tx:
        found = {server.id: server for server in (*await tx.servers.unsettled(), *await tx.servers.routed())}
    return [server for server in found.values() if server.active]


async def _flush_activity(ctx: HubContext) -> None:
    while True:
        await asyncio.sleep(_FLUSH_INTERVAL)
        try:
            await ctx.activity.flush(ctx.store)
        except StorageUnavailable as error:
            _log.warning("Activity could not be written, trying again: %s", error)
        except Exception:
            _log.exception("Activity could not be written; trying again")


async def _poll_activity(ctx: HubContext) -> None:
    while True:
        await asyncio.sleep(ctx.settings.last_activity_interval)
        try:
            await collect_activity(ctx)
        except (ProxyError, StorageUnavailable) as error:
            _log.warning("The data plane's activity cannot be noted, trying again: %s", error)
        except Exception:
            _log.exception("The data plane's activity could not be read; trying again")


async def _checkpoint(ctx: HubContext) -> None:
    """Move the database's log into its file now and then, so that no request has to."""
    while True:
        await asyncio.sleep(_CHECKPOINT_INTERVAL)
        try:
            await ctx.store.checkpoint()
        except Exception:
            _log.exception("The database's log could not be moved into its file; trying again")


async def _purge(ctx: HubContext) -> None:
    while True:
        try:
            async with ctx.store.write() as tx:
                now = ctx.clock.now()
                await tx.tokens.purge(now)
                await tx.sessions.purge(now)
                await tx.imported_logins.purge(now)
                await tx.oauth.purge_codes(now)
                await tx.share_codes.purge(now)
                await tx.oauth.purge_grants(now)
        except StorageUnavailable as error:
            _log.warning("Expired rows could not be removed, trying again later: %s", error)
        except Exception:
            _log.exception("Expired rows could not be removed; trying again later")
        await asyncio.sleep(_PURGE_INTERVAL)


def _first_tasks(ctx: HubContext) -> list[asyncio.Task[None]]:
    """Begin what is done once, when the hub answers already."""
    first = [asyncio.create_task(_warm_up(ctx), name="warm-up")]
    if ctx.authenticator.delete_invalid_users:
        from carrel.core.invalid_users import remove_invalid_users

        first.append(asyncio.create_task(remove_invalid_users(ctx), name="removal of invalid users"))
    return first


async def _warm_up(ctx: HubContext) -> None:
    await asyncio.sleep(_WARM_UP_AFTER)
    await warm_up(ctx)


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("The hub's %s has ended", task.get_name(), exc_info=task.exception())
