"""How a route stands in HAProxy's map: one line, from which the route can be read back.

The key is the decoded path, escaped again: HAProxy does the same to a request's path, so that all spellings
of a path meet. The value has the fields that HAProxy needs in front, `ID|ADDRESS|PORT|`, and then what the
driver was told, which HAProxy does not look at.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec

from carrel.proxy.base import ProxyError

#: Stands for a slash that was escaped in a path, which does not part segments.
INNER_SLASH = "%1F"
#: A command with it must fit into one of HAProxy's buffers.
_LONGEST_TOLD = 8192


class Told(msgspec.Struct, frozen=True):
    """A route as the hub gave it."""

    spec: str
    target: str
    data: dict[str, Any]


class BadTarget(ProxyError):
    """HAProxy is not set up to forward there."""


def key_of(spec: str) -> str:
    """Return the map's key for a route specification."""
    inner = spec.strip("/").replace("%2f", INNER_SLASH).replace("%2F", INNER_SLASH)
    path = f"/{inner}/" if inner else "/"
    return quote(unquote_to_bytes(path), safe="")


def row_of(key: str) -> str:
    """Return under which name the activity of a route is counted."""
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()


def value_of(spec: str, target: str, address: tuple[str, int], data: Mapping[str, Any]) -> str:
    """Return the map's value for a route that leads to `address`; raise ProxyError when it is too long."""
    told = msgspec.json.encode(Told(spec, target, dict(data)))
    host, port = address
    if len(told) > _LONGEST_TOLD:
        raise ProxyError(
            f"the data of the route {spec[:200]} is longer than the {_LONGEST_TOLD} bytes of a map"
        )
    return f"{row_of(key_of(spec))}|{host}|{port}|{base64.urlsafe_b64encode(told).decode()}"


def told_by(value: str) -> Told | None:
    """Return what the hub said of a route, or None when the entry is not from this driver."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(value.rpartition("|")[2]), type=Told)
    except ValueError:
        return None


def place_of(target: str) -> tuple[str, int]:
    """Return host and port of a target; raise BadTarget for anything but `http://HOST:PORT`."""
    try:
        parts = urlsplit(target)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadTarget(f"the target {target!r} is not a URL: {error}") from None
    if (
        parts.scheme != "http"
        or not host
        or "%" in host
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
    ):
        raise BadTarget(f"HAProxy forwards to http://HOST:PORT alone, not to {target!r}")
    return host, port or 80
