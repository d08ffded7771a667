"""From settings to the hub's parts: the only place that picks implementations."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from carrel.app.classes import resolve_classes
from carrel.app.hubs import this_hub
from carrel.app.proxies import build_proxy, runtime_directory
from carrel.compat.database import PluginDatabase
from carrel.config.addresses import hosts_of, proxy_to_hub, server_to_hub
from carrel.config.database import connections, database_url, logs_statements
from carrel.config.oauth_clients import read_clients
from carrel.config.rights import RightsSettings, read_rights
from carrel.config.schema import Settings
from carrel.config.secrets import cookie_secret, crypt_keys, own_secret
from carrel.config.services import read_services
from carrel.config.watching import event_handlers
from carrel.core.activity import Activity
from carrel.core.bootstrap import load_cookie_secret, load_hub_id, load_named_users
from carrel.core.cache import CallerCache
from carrel.core.context import HubContext
from carrel.core.oauth import load_clients
from carrel.core.rights import load_rights
from carrel.core.server_records import rename_old_servers
from carrel.core.service_records import load_services
from carrel.events.bus import Bus
from carrel.events.metrics import Metrics
from carrel.events.progress import ProgressLog
from carrel.lib.clock import Clock, SystemClock
from carrel.lib.net import EVERYWHERE, own_name
from carrel.lib.sealing import Sealer
from carrel.spawners.base import Spawner
from carrel.spawners.views import HubView
from carrel.spawners.warm_later import LaterWarmStarts
from carrel.storage.sql.store import SqlStore, Tuning


@asynccontextmanager
async def open_hub(
    settings: Settings, *, claim: bool = True, fresh: bool = False
) -> AsyncIterator[HubContext]:
    """Yield the hub's parts with the database open; `claim` takes the hub's place in it.

    A `fresh` hub begins with an empty one.

    Raises BadConfig, and StorageError for a database that cannot be used.
    """
    classes = resolve_classes(settings)
    spawners = classes.spawners()
    rights, _ = read_rights(settings)
    clock, bus, metrics = SystemClock(), Bus(), Metrics()
    tuning = Tuning(connections(settings), logs_statements(settings))
    store = SqlStore(
        database_url(settings),
        directory=settings.directory,
        clock=clock,
        publish=bus.publish,
        tuning=tuning,
    )
    await store.open(claim=claim)
    try:
        if fresh:
            logging.getLogger("carrel.app").warning("The database is emptied, as JupyterHub.reset_db says")
            await store.clear()
        settings = replace(settings, cookie_secret=await _cookie_secret(settings, store))
        database = PluginDatabase(database_url(settings), settings.directory)
        authenticator = classes.authenticator(config=settings.plugins, db=database)
        hub = hub_view(settings, await load_hub_id(store), spawners.all())
        hub.warm_starts = LaterWarmStarts(runtime_directory(settings) / "warm") if claim else None
        callers = CallerCache(None if store.single_hub else clock.monotonic)
        bus.listen(callers.heed)
        bus.listen(metrics.heed)
        _tell_auditors(settings, bus, clock)
        ctx = HubContext(
            settings=settings,
            store=store,
            bus=bus,
            progress=ProgressLog(bus),
            clock=clock,
            authenticator=authenticator,
            spawners=spawners,
            profiles=classes.profiles,
            proxy=build_proxy(settings, classes.proxy, hub),
            hub=hub,
            callers=callers,
            activity=Activity(settings.activity_resolution),
            peers=this_hub(settings, proxy_to_hub(settings)),
            sealer=Sealer(crypt_keys(settings, os.environ, needed=claim and authenticator.enable_auth_state)),
            catalog=rights.catalog,
            metrics=metrics,
        )
        await load_named_users(store, authenticator, clock)
        if claim:
            await _bring_in(ctx, rights)
        try:
            yield ctx
        finally:
            if hub.warm_starts is not None:
                await hub.warm_starts.close(end=False)
            authenticator.close()
            database.dispose()
            await ctx.shared.close()
            await ctx.proxy.close()
    finally:
        await store.close()


def _tell_auditors(settings: Settings, bus: Bus, clock: Clock) -> None:
    """Have events written where the configuration wants them, if it does."""
    if handlers := event_handlers(settings):
        from carrel.events.actions import ActionLog

        bus.listen(ActionLog(handlers, clock).heed)


async def _bring_in(ctx: HubContext, rights: RightsSettings) -> None:
    """Bring the rights, services and clients of the configuration into the database; may be repeated."""
    settings, store, authenticator = ctx.settings, ctx.store, ctx.authenticator
    await load_rights(store, authenticator, ctx.clock, rights)
    services = read_services(settings)[0]
    await load_services(store, authenticator, ctx.clock, ctx.hosts, (rights, services))
    await load_clients(store, read_clients(settings)[0])
    if settings.allow_existing_invalid_named_servers == "autorename":
        await rename_old_servers(ctx)


async def _cookie_secret(settings: Settings, store: SqlStore) -> bytes:
    """Return the secret that signs cookies; hubs of one database have it there unless they are told it."""
    if store.single_hub:
        return cookie_secret(settings)
    secret, configured = own_secret(settings)
    return secret if configured else await load_cookie_secret(store, secret)


def hub_view(settings: Settings, hub_id: str, spawners: Iterable[type[Spawner]]) -> HubView:
    """Return what spawners see of the hub."""
    public = hosts_of(settings).origin
    # In a container or on another machine, 127.0.0.1 is something else.
    elsewhere = settings.hub_ip in EVERYWHERE and not all(cls.bound_to_node for cls in spawners)
    host = own_name() if elsewhere else "127.0.0.1"
    return HubView(
        api_url=f"{server_to_hub(settings, host)}{settings.base_url}hub/api",
        base_url=f"{settings.base_url}hub/",
        public_host=public,
        public_url=public,
        hub_id=hub_id,
    )
