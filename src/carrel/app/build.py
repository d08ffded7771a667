"""From settings to the hub's parts: the only place that picks implementations."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from carrel.app.hubs import this_hub
from carrel.authenticators.base import Authenticator
from carrel.config.oauth_clients import read_clients
from carrel.config.plugins import check_plugins
from carrel.config.rights import read_rights
from carrel.config.schema import BadConfig, Problem, Settings
from carrel.config.secrets import cookie_secret, crypt_keys, own_secret
from carrel.config.services import read_services
from carrel.core.activity import Activity
from carrel.core.bootstrap import load_cookie_secret, load_hub_id, load_named_users
from carrel.core.cache import CallerCache
from carrel.core.context import HubContext
from carrel.core.oauth import load_clients
from carrel.core.rights import load_rights
from carrel.core.service_records import load_services
from carrel.events.bus import Bus
from carrel.events.metrics import Metrics
from carrel.events.progress import ProgressLog
from carrel.lib.clock import SystemClock
from carrel.lib.registry import Kind, UnknownClass, find_class
from carrel.lib.sealing import Sealer
from carrel.proxy.base import Proxy
from carrel.spawners.base import Spawner
from carrel.spawners.views import HubView
from carrel.storage.sql.store import SqlStore, backup_base

AUTHENTICATORS: Kind[Authenticator] = Kind(
    setting="JupyterHub.authenticator_class",
    base=Authenticator,
    builtins={
        "default": "carrel.authenticators.pam.PAMAuthenticator",
        "pam": "carrel.authenticators.pam.PAMAuthenticator",
        "dummy": "carrel.authenticators.dummy.DummyAuthenticator",
        "shared-password": "carrel.authenticators.shared.SharedPasswordAuthenticator",
        "null": "carrel.authenticators.null.NullAuthenticator",
    },
    groups=("carrel.authenticators", "jupyterhub.authenticators"),
)
SPAWNERS: Kind[Spawner] = Kind(
    setting="JupyterHub.spawner_class",
    base=Spawner,
    builtins={
        "default": "carrel.spawners.local.LocalProcessSpawner",
        "localprocess": "carrel.spawners.local.LocalProcessSpawner",
        "simple": "carrel.spawners.simple.SimpleLocalProcessSpawner",
    },
    groups=("carrel.spawners", "jupyterhub.spawners"),
)
PROXIES: Kind[Proxy] = Kind(
    setting="JupyterHub.proxy_class",
    base=Proxy,
    builtins={
        "default": "carrel.proxy.embedded.CarrelProxy",
        "carrel": "carrel.proxy.embedded.CarrelProxy",
        "configurable-http-proxy": "carrel.proxy.chp.ConfigurableHTTPProxy",
        "haproxy": "carrel.proxy.haproxy.HAProxyProxy",
        "traefik": "carrel.proxy.traefik.TraefikProxy",
    },
    groups=("carrel.proxies", "jupyterhub.proxies"),
)
P = TypeVar("P")
_log = logging.getLogger("carrel.app")


@asynccontextmanager
async def open_hub(settings: Settings, *, claim: bool = True) -> AsyncIterator[HubContext]:
    """Yield the hub's parts with the database open; `claim` takes the hub's place in it.

    Raises BadConfig, and StorageError for a database that cannot be used.
    """
    authenticator_class, spawner_class, proxy_class = resolve_classes(settings)
    rights, _ = read_rights(settings)
    clock, bus, metrics = SystemClock(), Bus(), Metrics()
    store = SqlStore(settings.db_url, directory=settings.directory, clock=clock, publish=bus.publish)
    await store.open(claim=claim)
    try:
        settings = replace(settings, cookie_secret=await _cookie_secret(settings, store))
        authenticator = authenticator_class(config=settings.plugins)
        callers = CallerCache(None if store.single_hub else clock.monotonic)
        bus.listen(callers.heed)
        bus.listen(metrics.heed)
        ctx = HubContext(
            settings=settings,
            store=store,
            bus=bus,
            progress=ProgressLog(bus),
            clock=clock,
            authenticator=authenticator,
            spawner_class=spawner_class,
            proxy=build_proxy(settings, proxy_class),
            hub=hub_view(settings, await load_hub_id(store)),
            callers=callers,
            activity=Activity(settings.activity_resolution),
            peers=this_hub(settings, hub_url(settings)),
            sealer=Sealer(crypt_keys(settings, os.environ, needed=claim and authenticator.enable_auth_state)),
            catalog=rights.catalog,
            metrics=metrics,
        )
        await load_named_users(store, authenticator, clock)
        if claim:
            await load_rights(store, authenticator, clock, rights)
            services = read_services(settings)[0]
            await load_services(store, authenticator, clock, settings.base_url, (rights, services))
            await load_clients(store, read_clients(settings)[0])
        try:
            yield ctx
        finally:
            authenticator.close()
            await ctx.proxy.close()
    finally:
        await store.close()


async def _cookie_secret(settings: Settings, store: SqlStore) -> bytes:
    """Return the secret that signs cookies; hubs of one database have it there unless they are told it."""
    if store.single_hub:
        return cookie_secret(settings)
    secret, configured = own_secret(settings)
    return secret if configured else await load_cookie_secret(store, secret)


def resolve_classes(settings: Settings) -> tuple[type[Authenticator], type[Spawner], type[Proxy]]:
    """Return the three plug-in classes; raise BadConfig for what cannot be loaded or is set wrongly."""
    problems: list[Problem] = []
    authenticator = _resolve(settings, settings.authenticator_class, AUTHENTICATORS, problems)
    spawner = _resolve(settings, settings.spawner_class, SPAWNERS, problems)
    proxy = _resolve(settings, settings.proxy_class, PROXIES, problems)
    if not problems:
        problems = check_plugins(settings, [authenticator, spawner, proxy])
    for problem in problems:
        if not problem.fatal:
            _log.warning("%s", problem)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise BadConfig(fatal)
    return authenticator, spawner, proxy


def _resolve(settings: Settings, wanted: object, kind: Kind[P], problems: list[Problem]) -> type[P]:
    """Return the class that a setting names; note a problem and return the base when there is none."""
    try:
        return find_class(wanted, kind)
    except UnknownClass as error:
        text = str(error).removeprefix(f"{kind.setting}: ")
        problems.append(Problem(kind.setting, text, settings.locations.get(kind.setting, "")))
        return kind.base


def hub_url(settings: Settings) -> str:
    """Return where the proxy and the servers reach the hub, scheme to port."""
    host = settings.hub_connect_ip or settings.hub_ip
    if host in ("", "0.0.0.0", "::", "*"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if not settings.hub_connect_ip else host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.hub_port}"


def hub_view(settings: Settings, hub_id: str) -> HubView:
    """Return what spawners see of the hub."""
    return HubView(
        api_url=f"{hub_url(settings)}{settings.base_url}hub/api",
        base_url=f"{settings.base_url}hub/",
        hub_id=hub_id,
    )


def build_proxy(settings: Settings, proxy_class: type[Proxy]) -> Proxy:
    """Return the driver of the data plane, with what it needs to know of the settings."""
    host = settings.ip or "127.0.0.1"
    values: dict[str, object] = {
        "public_url": f"http://{f'[{host}]' if ':' in host else host}:{settings.port}{settings.base_url}",
        "hub_url": hub_url(settings),
    }
    if wanted := set(proxy_class.class_trait_names(by_hub=True)):
        local = {
            "ip": settings.ip,
            "port": settings.port,
            "directory": str(runtime_directory(settings)),
            "error_target": f"{hub_url(settings)}{settings.base_url}hub/error",
        }
        values |= {name: value for name, value in local.items() if name in wanted}
    return proxy_class(config=settings.plugins, **values)


def database_file(settings: Settings) -> Path | None:
    """Return the file that the database is in, None for one on a server."""
    in_file = settings.db_url.startswith("sqlite")
    return backup_base(settings.db_url, settings.directory) if in_file else None


def runtime_directory(settings: Settings) -> Path:
    """Return the directory of the hub's state files, made for the owner alone."""
    path = settings.directory / settings.runtime_dir
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
