"""What is wrong with settings that are each fine alone. All of it, at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from carrel.config.addresses import origin, socket_path
from carrel.config.database import check_database
from carrel.config.logs import check_logs
from carrel.config.oauth_clients import check_public_url, read_clients
from carrel.config.rights import Finding, read_rights
from carrel.config.schema import Problem, Settings
from carrel.config.services import read_services
from carrel.config.templates import check_templates
from carrel.config.tornado import check_cookies, check_tornado
from carrel.domain.devices import pools_of
from carrel.domain.errors import Invalid
from carrel.domain.hosts import hook_trouble
from carrel.domain.names import check_server_name
from carrel.lib.net import EVERYWHERE

_HOST = re.compile(r"[A-Za-z0-9_.:%-]*|\[[0-9A-Fa-f:.%]+\]")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_METRIC = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_ENTRIES = 10_000
_SHORTEST_TOKEN = 32
_DATABASES = re.compile(r"(sqlite|postgresql|postgres)(\+\w+)?:")


def check_settings(settings: Settings) -> list[Problem]:
    """Return all problems between settings, and of values that no type can rule out."""
    return [
        Problem(settings.written_as(name), text, settings.place(name), fatal, "" if fatal else _kind(text))
        for check in _CHECKS
        for name, text, fatal in check(settings)
    ]


def _kind(text: str) -> str:
    """Return the kind of a doubt by its words, which its check has chosen alone."""
    if re.search(r"\bdeprecated\b|\bold\b", text):
        return "deprecated"
    return "unused" if re.search(r"\bno effect\b|\bin this version\b", text) else ""


def _ports(settings: Settings) -> Iterator[Finding]:
    for name in ("port", "hub_port", "hub_connect_port"):
        port = getattr(settings, name)
        if not 1 <= port <= 65535 and not (name == "hub_connect_port" and port == 0):
            yield name, f"a port is a number from 1 to 65535, not {port}", True
    same = settings.ip == settings.hub_ip or EVERYWHERE & {settings.ip, settings.hub_ip}
    sockets = (socket_path(settings.bind_url), socket_path(settings.hub_bind_url))
    if settings.port == settings.hub_port and same and sockets == (None, None):
        text = f"the hub cannot listen on the public port {settings.port} of the same address: choose another"
        yield "hub_port", text, True


def _hosts(settings: Settings) -> Iterator[Finding]:
    for name in ("ip", "hub_ip", "hub_connect_ip"):
        host = getattr(settings, name)
        if not _HOST.fullmatch(host):
            yield name, f"it must be an address or a host name without scheme and port, not {host!r}", True
    if settings.hub_connect_ip in EVERYWHERE - {""}:
        text = f"servers cannot connect to {settings.hub_connect_ip}: give an address or name of this machine"
        yield "hub_connect_ip", text, True
    url = settings.hub_connect_url
    if url and not _is_web_address(url):
        yield "hub_connect_url", f"it must be an address such as http://hub.example:8081, not {url!r}", True
    elif url and settings.hub_connect_ip:
        yield "hub_connect_url", "it wins over hub_connect_ip", False


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (port is None or port > 0)
    return fits and not (parts.username or parts.query or parts.fragment)


def _sockets(settings: Settings) -> Iterator[Finding]:
    if not 0 <= settings.hub_socket_mode <= 0o777:
        yield "hub_socket_mode", f"it must be permissions such as 0o660, not {settings.hub_socket_mode}", True
    if socket_path(settings.hub_bind_url) is None or settings.hub_connect_url or settings.public_url:
        return
    spawners = (own for name, own in settings.plugins.items() if name.endswith("Spawner"))
    if any("hub_connect_url" in own for own in spawners):
        return
    if socket_path(settings.bind_url) is not None or settings.ssl_cert:
        text = "servers cannot reach a hub on a socket: say in hub_connect_url or public_url where they can"
        yield "hub_bind_url", text, True


def _subdomains(settings: Settings) -> Iterator[Finding]:
    hook = settings.subdomain_hook
    if not callable(hook) and hook not in ("idna", "legacy"):
        yield "subdomain_hook", f"it must be 'idna', 'legacy' or a callable, not {hook!r}", True
    host = settings.subdomain_host
    if not host:
        return
    if not _is_web_address(host) or urlsplit(host).path.strip("/"):
        yield "subdomain_host", f"it must be an address such as https://hub.example.org, not {host!r}", True
    elif re.fullmatch(r"[\d.]+|.*:.*", urlsplit(host).hostname or ""):
        yield "subdomain_host", "an address of digits has no hosts below it: give the hub's name", True
    elif settings.public_url and origin(settings.public_url) != origin(host):
        yield "public_url", f"it must begin with {host}, as subdomain_host says", True
    elif callable(hook) and (trouble := hook_trouble(hook, urlsplit(host).hostname or "")):
        yield "subdomain_hook", trouble, True


def _proxies(settings: Settings) -> Iterator[Finding]:
    for text in settings.trusted_downstream_ips:
        try:
            ip_network(text, strict=False)
        except ValueError:
            told = f"{text!r} is neither an address nor a network such as 10.0.0.0/8"
            yield "trusted_downstream_ips", told, True
    name = settings.forwarded_host_header
    if name and not _HEADER.fullmatch(name):
        told = f"it must be the name of a header, such as X-Forwarded-Host, not {name[:80]!r}"
        yield "forwarded_host_header", told, True


def _paths(settings: Settings) -> Iterator[Finding]:
    if re.search(r"[\s?#\\\x00-\x1f]|//|/\.\.?/", settings.base_url):
        yield "base_url", f"it must be a plain path such as /hub-a/, not {settings.base_url!r}", True
    spec = settings.hub_routespec
    if spec and not (spec.startswith(settings.base_url) or settings.base_url.startswith(spec)):
        yield "hub_routespec", f"it must begin with the base URL, {settings.base_url}, not {spec!r}", True
    url = settings.default_url
    if isinstance(url, str) and url and not url.startswith(("/", "http://", "https://")):
        yield "default_url", f"it must begin with a slash, not {url!r}", True


def _database(settings: Settings) -> Iterator[Finding]:
    if not _DATABASES.match(settings.db_url):
        scheme = settings.db_url.partition(":")[0]
        text = f"it must be sqlite:///FILE or postgresql://USER@HOST/NAME, not a {scheme} URL"
        yield "db_url", f"{text} (`carrel import-jupyterhub URL` takes over what JupyterHub has there)", True


def _spans(settings: Settings) -> Iterator[Finding]:
    for name in (
        "cookie_max_age_days",
        "activity_resolution",
        "last_activity_interval",
        "active_user_window",
    ):
        if getattr(settings, name) <= 0:
            yield name, f"it must be more than 0, not {getattr(settings, name):g}", True
    limits = ("concurrent_spawn_limit", "active_server_limit", "named_server_limit_per_user")
    waits = ("spawn_queue_timeout", "slow_spawn_timeout", "slow_stop_timeout", "implicit_spawn_seconds")
    for name in (*waits, *limits):
        value = getattr(settings, name)
        if not callable(value) and value < 0:
            yield name, f"it must be 0 or more, not {value:g}", True


def _devices(settings: Settings) -> Iterator[Finding]:
    try:
        pools_of(settings.device_pools)
    except ValueError as error:
        yield "device_pools", str(error), True
    for kind, name in settings.device_environment.items():
        if not isinstance(name, str) or not name.isidentifier():
            yield "device_environment", f"{kind!r} has to have the name of a variable, not {name!r}", True
        elif kind not in settings.device_pools:
            yield "device_environment", f"device_pools has no {kind!r}: it has no effect", False


def _named(settings: Settings) -> Iterator[Finding]:
    if settings.default_server_name and not settings.allow_named_servers:
        yield "default_server_name", "it has no effect without allow_named_servers = True", False
    elif settings.default_server_name:
        try:
            check_server_name(settings.default_server_name)
        except Invalid as error:
            yield "default_server_name", str(error), False
    policy = settings.allow_existing_invalid_named_servers
    if policy not in ("allow-start", "allow-delete", "autorename"):
        text = f"it must be 'allow-start', 'allow-delete' or 'autorename', not {policy!r}"
        yield "allow_existing_invalid_named_servers", text, True


def _pages(settings: Settings) -> Iterator[Finding]:
    for name in ("api_page_default_limit", "api_page_max_limit"):
        if not 1 <= getattr(settings, name) <= _MOST_ENTRIES:
            yield name, f"it must be from 1 to {_MOST_ENTRIES}, not {getattr(settings, name)}", True
    if settings.api_page_default_limit > settings.api_page_max_limit:
        text = f"pages have at most {settings.api_page_max_limit} entries, as api_page_max_limit says"
        yield "api_page_default_limit", text, False


def _tokens(settings: Settings) -> Iterator[Finding]:
    if settings.trust_user_provided_tokens:
        return
    for name in ("service_tokens", "api_tokens"):
        for token, owner in getattr(settings, name).items():
            if len(token) < _SHORTEST_TOKEN:
                text = f"the token of {owner!r} can be guessed: make a longer one with `openssl rand -hex 32`"
                yield name, text, False


def _admins(settings: Settings) -> Iterator[Finding]:
    if not settings.admin_access and settings.place("admin_access"):
        text = "administrators reach others' servers all the same, by their role: see load_roles"
        yield "admin_access", text, False


def _tornado(settings: Settings) -> Iterator[Finding]:
    yield from check_tornado(settings)
    yield from check_cookies(settings)


def _storage(settings: Settings) -> Iterator[Finding]:
    yield from check_database(settings)


def _templates(settings: Settings) -> Iterator[Finding]:
    yield from check_templates(settings)


def _logs(settings: Settings) -> Iterator[Finding]:
    yield from check_logs(settings)


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
    _sockets,
    _subdomains,
    _proxies,
    _paths,
    _database,
    _spans,
    _devices,
    _named,
    _pages,
    _tokens,
    _admins,
    _metrics,
    _logs,
    _storage,
    _templates,
    _tornado,
    _cleanup,
    _rights,
    _services,
    _lifetimes,
    _oauth,
)
