"""Addresses in one URL or in parts: `bind_url`, `hub_bind_url`, `hub_connect_url` and their pieces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from carrel.config.schema import Settings
from carrel.domain.hosts import Hosts, idna_host, legacy_host
from carrel.lib.net import EVERYWHERE

Finding = tuple[str, str, bool]
Layer = Mapping[str, tuple[Any, str]]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SOCKETS = ("http+unix", "unix+http")


def split_addresses(layer: Layer) -> tuple[dict[str, Any], list[Finding]]:
    """Return the settings that the addresses of one layer (a file, or the command line) come to.

    `layer` holds each setting as it was written, with its full name. A URL wins over its parts. The
    second result are problems: setting, message, whether it is fatal.
    """
    values: dict[str, Any] = {}
    problems: list[Finding] = []
    for name in ("ip", "hub_ip"):
        if name in layer and layer[name][0] == "*":
            values[name] = ""
    if "base_url" in layer and isinstance(layer["base_url"][0], str):
        values["base_url"] = normal_base(layer["base_url"][0])
    _split(layer, "bind_url", ("ip", "port", "base_url"), values, problems)
    _split(layer, "hub_bind_url", ("hub_ip", "hub_port"), values, problems)
    return values, problems


def join_addresses(settings: Settings) -> dict[str, str]:
    """Return the URLs that were given, made to say what the parts say after all layers are read."""
    found = {}
    if settings.bind_url and socket_path(settings.bind_url) is None:
        scheme = "https" if settings.ssl_cert else "http"
        found["bind_url"] = f"{scheme}://{_bracket(settings.ip)}:{settings.port}{settings.base_url}"
    if settings.hub_bind_url and socket_path(settings.hub_bind_url) is None:
        found["hub_bind_url"] = f"http://{_bracket(settings.hub_ip)}:{settings.hub_port}"
    return found


def socket_path(url: str) -> Path | None:
    """Return the path of the socket that a URL such as http+unix://%2Frun%2Fhub.sock names, or None."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = unquote(parts.netloc)
    return Path(path) if parts.scheme in _SOCKETS and path.startswith("/") and "\0" not in path else None


def public_origin(settings: Settings) -> str:
    """Return where the public side is reached on this machine, scheme to port."""
    path = socket_path(settings.bind_url)
    if path is not None:
        return _socket_url(path)
    host = "127.0.0.1" if settings.ip in EVERYWHERE else settings.ip
    return f"{'https' if settings.ssl_cert else 'http'}://{_bracket(host)}:{settings.port}"


def proxy_to_hub(settings: Settings, own_name: str = "127.0.0.1") -> str:
    """Return where the proxy reaches the hub, scheme to port; a socket in the file system as http+unix.

    A hub that listens everywhere is reached at `own_name`.
    """
    path = socket_path(settings.hub_bind_url)
    if path is not None:
        return _socket_url(path)
    if settings.hub_connect_url:
        return origin(settings.hub_connect_url)
    host = settings.hub_connect_ip or (own_name if settings.hub_ip in EVERYWHERE else settings.hub_ip)
    return f"http://{_bracket(host)}:{settings.hub_connect_port or settings.hub_port}"


def server_to_hub(settings: Settings, own_name: str = "127.0.0.1") -> str:
    """Return where servers and services reach the hub: through the proxy, when the hub is on a socket.

    `own_name` is what they call the hub's machine, for a hub that listens everywhere.
    """
    if settings.hub_connect_url:
        return origin(settings.hub_connect_url)
    if socket_path(settings.hub_bind_url) is None:
        return proxy_to_hub(settings, own_name)
    return origin(settings.public_url) or public_origin(settings)


def hosts_of(settings: Settings) -> Hosts:
    """Return where the public finds the hub, servers and services."""
    hook = settings.subdomain_hook
    if not callable(hook):
        hook = legacy_host if hook == "legacy" else idna_host
    return Hosts(
        settings.base_url,
        origin(settings.public_url or settings.subdomain_host),
        bool(settings.subdomain_host),
        hook,
    )


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; empty for none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _socket_url(path: Path) -> str:
    return f"http+unix://{quote(str(path), safe='')}"


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def normal_base(path: str) -> str:
    """Return a base URL that begins and ends with one slash."""
    return f"/{path.strip('/')}/" if path.strip("/") else "/"


def _split(
    layer: Layer, name: str, parts: tuple[str, ...], values: dict[str, Any], problems: list[Finding]
) -> None:
    raw, setting = layer.get(name, ("", ""))
    if not isinstance(raw, str) or not raw:
        return
    if socket_path(raw) is not None:
        if name == "bind_url" and urlsplit(raw).path:
            values["base_url"] = normal_base(urlsplit(raw).path)
        return
    url, trouble = _read_url(str(raw))
    if url is None:
        problems.append((setting, trouble, True))
        return
    if url.scheme == "https" and name != "bind_url":
        problems.append((setting, "the hub itself speaks plain HTTP on this address", False))
    host = "" if url.hostname in {None, "*"} else str(url.hostname)
    port = url.port if url.port is not None else _DEFAULT_PORTS[url.scheme]
    found = dict(zip(parts, (host, port, normal_base(url.path)), strict=False))
    hidden = [part for part in parts if part in layer and _differs(layer[part][0], found[part])]
    if hidden:
        problems.append((setting, f"it wins over {', '.join(hidden)}, which say otherwise", False))
    values |= found


def _differs(raw: Any, value: Any) -> bool:
    text = normal_base(str(raw)) if str(value).startswith("/") else str(raw).replace("*", "")
    return text != str(value)


def _read_url(text: str) -> tuple[SplitResult | None, str]:
    if "unix" in text.partition(":")[0]:
        return None, f"a socket in the file system is named by http+unix://%2Frun%2Fhub.sock, not by {text!r}"
    try:
        url = urlsplit(text)
        if url.scheme in _DEFAULT_PORTS and url.netloc and (url.port is None or url.port > 0):
            return url, ""
    except ValueError:
        pass
    return None, f"it must be a URL such as http://127.0.0.1:8000/, not {text!r}"
