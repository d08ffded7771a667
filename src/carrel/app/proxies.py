"""The driver of the data plane, with what it needs to know of the settings."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

from carrel.config.addresses import proxy_to_hub, public_origin, socket_path
from carrel.config.schema import BadConfig, Problem, Settings
from carrel.proxy.base import Proxy
from carrel.proxy.plugin import PluggedProxy, PluginProxy
from carrel.spawners.views import HubView

_log = logging.getLogger("carrel.app")


def build_proxy(settings: Settings, proxy_class: type[Proxy], view: HubView) -> Proxy:
    """Return the driver of the data plane, with what it needs to know of the settings."""
    hub, socket = proxy_to_hub(settings), socket_path(settings.bind_url)
    values: dict[str, Any] = {
        "public_url": f"{public_origin(settings)}{settings.base_url}",
        "hub_url": hub,
    }
    if wanted := set(proxy_class.class_trait_names(by_hub=True)):
        local = {
            "ip": settings.ip,
            "port": settings.port,
            "directory": str(runtime_directory(settings)),
            "error_target": f"{hub}{settings.base_url}hub/error",
            "socket": str(socket or ""),
            "host_routing": bool(settings.subdomain_host),
            "catch_all": settings.base_url.startswith(settings.hub_routespec or "/"),
            "ssl_key": str(settings.resolve(settings.ssl_key)) if settings.ssl_key else "",
            "ssl_cert": str(settings.resolve(settings.ssl_cert)) if settings.ssl_cert else "",
        }
        values |= {name: value for name, value in local.items() if name in wanted}
    _check_proxy(settings, proxy_class, wanted)
    if issubclass(proxy_class, PluginProxy):
        make = partial(proxy_class, config=settings.plugins, hub=view, **values)
        record = runtime_directory(settings) / "proxy-plugin.json"
        return PluggedProxy(make, record, public_url=values["public_url"], hub_url=values["hub_url"])
    proxy = proxy_class(config=settings.plugins, **values)
    if settings.ssl_cert and not proxy.of_this_hub:
        _log.warning("JupyterHub.ssl_cert: the hub does not start the proxy, so it has to be given TLS there")
    return proxy


def _check_proxy(settings: Settings, proxy_class: type[Proxy], wanted: set[str]) -> None:
    """Raise BadConfig for what this proxy cannot be told."""
    problems = []
    name = proxy_class.__name__
    if "ip" in wanted and "socket" not in wanted and socket_path(settings.bind_url) is not None:
        text = f"{name} listens at an address and a port, not on a socket"
        problems.append(Problem("JupyterHub.bind_url", text, settings.place("bind_url")))
    if "ip" in wanted and "catch_all" not in wanted and settings.hub_routespec not in ("", settings.base_url):
        text = f"{name} sends to the hub whatever has no route: remove this line"
        problems.append(Problem("JupyterHub.hub_routespec", text, settings.place("hub_routespec")))
    if settings.subdomain_host and "host_routing" not in wanted:
        text = f"{name} does not route by host names: use Carrel's own data plane, or remove this line"
        problems.append(Problem("JupyterHub.subdomain_host", text, settings.place("subdomain_host")))
    if problems:
        raise BadConfig(problems)


def runtime_directory(settings: Settings) -> Path:
    """Return the directory of the hub's state files, made for the owner alone."""
    path = settings.directory / settings.runtime_dir
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
