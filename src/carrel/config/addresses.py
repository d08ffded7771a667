"""Addresses in one URL or in parts: `bind_url`, `hub_bind_url`, `hub_connect_url` and their pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from carrel.config.schema import Settings

Finding = tuple[str, str, bool]
Layer = Mapping[str, tuple[Any, str]]

_DEFAULT_PORTS = {"http": 80, "https": 443}


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
    _split(layer, "hub_connect_url", ("hub_connect_ip",), values, problems)
    return values, problems


def join_addresses(settings: Settings) -> dict[str, str]:
    """Return the URLs that were given, made to say what the parts say after all layers are read."""
    found = {}
    if settings.bind_url:
        scheme = "https" if settings.ssl_cert else "http"
        found["bind_url"] = f"{scheme}://{_bracket(settings.ip)}:{settings.port}{settings.base_url}"
    if settings.hub_bind_url:
        found["hub_bind_url"] = f"http://{_bracket(settings.hub_ip)}:{settings.hub_port}"
    return found


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
    url, trouble = _read_url(str(raw))
    if url is None:
        problems.append((setting, trouble, True))
        return
    if url.scheme == "https" and name != "bind_url":
        problems.append((setting, "the hub itself speaks plain HTTP on this address", False))
    host = "" if url.hostname in {None, "*"} else str(url.hostname)
    port = url.port if url.port is not None else _DEFAULT_PORTS[url.scheme]
    if name == "hub_connect_url" and url.port is not None and layer.get("hub_port", (8081, ""))[0] != port:
        problems.append((setting, "its port is not used: servers and the proxy connect to hub_port", False))
    found = dict(zip(parts, (host, port, normal_base(url.path)), strict=False))
    hidden = [part for part in parts if part in layer and _differs(layer[part][0], found[part])]
    if hidden:
        problems.append((setting, f"it wins over {', '.join(hidden)}, which say otherwise", False))
    values |= found


def _differs(raw: Any, value: Any) -> bool:
    text = normal_base(str(raw)) if str(value).startswith("/") else str(raw).replace("*", "")
    return text != str(value)


def _read_url(text: str) -> tuple[SplitResult | None, str]:
    if text.startswith(("http+unix:", "unix:")):
        return None, "sockets in the file system are not offered by this version: use http://127.0.0.1:PORT"
    try:
        url = urlsplit(text)
        if url.scheme in _DEFAULT_PORTS and url.netloc and (url.port is None or url.port > 0):
            return url, ""
    except ValueError:
        pass
    return None, f"it must be a URL such as http://127.0.0.1:8000/, not {text!r}"
