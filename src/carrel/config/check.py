"""What is wrong with settings that are each fine alone. All of it, at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from carrel.config.oauth_clients import check_public_url, read_clients
from carrel.config.rights import Finding, read_rights
from carrel.config.schema import Problem, Settings
from carrel.config.services import read_services
from carrel.domain.errors import Invalid
from carrel.domain.names import check_server_name

_EVERYWHERE = {"", "0.0.0.0", "::", "*"}  # noqa: S104 - compared, not bound
_HOST = re.compile(r"[A-Za-z0-9_.:%-]*|\[[0-9A-Fa-f:.%]+\]")
_METRIC = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATABASES = re.compile(r"(sqlite|postgresql|postgres)(\+\w+)?:")


def check_settings(settings: Settings) -> list[Problem]:
    """Return all problems between settings, and of values that no type can rule out."""
    return [
        Problem(f"JupyterHub.{name}", text, _place(settings, name), fatal)
        for check in _CHECKS
        for name, text, fatal in check(settings)
    ]


def _place(settings: Settings, name: str) -> str:
    places = (settings.locations.get(f"{section}.{name}") for section in ("Carrel", "JupyterHub"))
    return next((place for place in places if place), "")


def _ports(settings: Settings) -> Iterator[Finding]:
    for name in ("port", "hub_port"):
        port = getattr(settings, name)
        if not 1 <= port <= 65535:
            yield name, f"a port is a number from 1 to 65535, not {port}", True
    same = settings.ip == settings.hub_ip or _EVERYWHERE & {settings.ip, settings.hub_ip}
    if settings.port == settings.hub_port and same:
        text = f"the hub cannot listen on the public port {settings.port} of the same address: choose another"
        yield "hub_port", text, True


def _hosts(settings: Settings) -> Iterator[Finding]:
    for name in ("ip", "hub_ip", "hub_connect_ip"):
        host = getattr(settings, name)
        if not _HOST.fullmatch(host):
            yield name, f"it must be an address or a host name without scheme and port, not {host!r}", True
    if settings.hub_connect_ip in _EVERYWHERE - {""}:
        text = f"servers cannot connect to {settings.hub_connect_ip}: give an address or name of this machine"
        yield "hub_connect_ip", text, True


def _paths(settings: Settings) -> Iterator[Finding]:
    if re.search(r"[\s?#\\\x00-\x1f]|//|/\.\.?/", settings.base_url):
        yield "base_url", f"it must be a plain path such as /hub-a/, not {settings.base_url!r}", True
    url = settings.default_url
    if isinstance(url, str) and url and not url.startswith(("/", "http://", "https://")):
        yield "default_url", f"it must begin with a slash, not {url!r}", True


def _database(settings: Settings) -> Iterator[Finding]:
    if not _DATABASES.match(settings.db_url):
        scheme = settings.db_url.partition(":")[0]
        text = f"it must be sqlite:///FILE or postgresql://USER@HOST/NAME, not a {scheme} URL"
        yield "db_url", f"{text} (`carrel import-jupyterhub URL` takes over what JupyterHub has there)", True


def _spans(settings: Settings) -> Iterator[Finding]:
    for name in ("cookie_max_age_days", "activity_resolution", "last_activity_interval"):
        if getattr(settings, name) <= 0:
            yield name, f"it must be more than 0, not {getattr(settings, name):g}", True
    limits = ("concurrent_spawn_limit", "spawn_queue_timeout", "active_server_limit")
    for name in ("slow_spawn_timeout", "slow_stop_timeout", *limits, "named_server_limit_per_user"):
        value = getattr(settings, name)
        if not callable(value) and value < 0:
            yield name, f"it must be 0 or more, not {value:g}", True


def _named(settings: Settings) -> Iterator[Finding]:
    if settings.default_server_name and not settings.allow_named_servers:
        yield "default_server_name", "it has no effect without allow_named_servers = True", False
    elif settings.default_server_name:
        try:
            check_server_name(settings.default_server_name)
        except Invalid as error:
            yield "default_server_name", str(error), False
    policy = settings.allow_existing_invalid_named_servers
    if policy == "autorename":
        text = "servers are not renamed by themselves: they keep their names and may be started"
        yield "allow_existing_invalid_named_servers", text, False
    elif policy not in ("allow-start", "allow-delete"):
        text = f"it must be 'allow-start' or 'allow-delete', not {policy!r}"
        yield "allow_existing_invalid_named_servers", text, True


def _metrics(settings: Settings) -> Iterator[Finding]:
    if not _METRIC.fullmatch(settings.metrics_prefix):
        text = f"it must be letters, digits and underscores, not {settings.metrics_prefix[:80]!r}"
        yield "metrics_prefix", text, True


def _cleanup(settings: Settings) -> Iterator[Finding]:
    if settings.cleanup_proxy and settings.cleanup_servers is False:
        text = "servers outlive the hub but nobody reaches them while the data plane is stopped with it"
        yield "cleanup_proxy", text, False


def _lifetimes(settings: Settings) -> Iterator[Finding]:
    if settings.oauth_token_expires_in < 0:
        text = f"it must be 0 or more, not {settings.oauth_token_expires_in:g}"
        yield "oauth_token_expires_in", text, True
    for name in ("oauth_access_token_expires_in", "oauth_refresh_token_expires_in"):
        if getattr(settings, name) < 1:
            yield name, f"it must be 1 or more, not {getattr(settings, name):g}", True


def _oauth(settings: Settings) -> Iterator[Finding]:
    yield from check_public_url(settings)
    yield from read_clients(settings)[1]


def _rights(settings: Settings) -> Iterator[Finding]:
    yield from read_rights(settings)[1]


def _services(settings: Settings) -> Iterator[Finding]:
    yield from read_services(settings)[1]
    if settings.service_check_interval < 0:
        yield "service_check_interval", "it must be 0 or more", True


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _ports,
    _hosts,
    _paths,
    _database,
    _spans,
    _named,
    _metrics,
    _cleanup,
    _rights,
    _services,
    _lifetimes,
    _oauth,
)
