"""What a service is: a program beside the hub that acts for itself, and that people may visit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from carrel.domain.errors import Invalid
from carrel.domain.names import escape
from carrel.lib.clock import Timestamp

#: What the OAuth client ids of services begin with, so that none passes for a server's.
CLIENT_PREFIX = "service-"
#: How long a service may take until it answers before somebody is warned, in seconds.
TIMEOUT = 30
#: Shorter tokens are guessed.
SHORTEST_TOKEN = 8
_LONGEST_NAME = 255
_LONGEST_URL = 2047
_REDIRECT = re.compile(r"(/(?!/)|https?://[^/?#]+)[^\s#\\\x00-\x1f]*")


@dataclass(frozen=True, slots=True)
class Service:
    """A program that calls the API under its own name; `id` never changes and is never used again."""

    id: int
    name: str
    admin: bool = False
    url: str = ""
    """Where it answers, scheme to port; empty for one that only asks."""
    client_id: str = ""
    """Its OAuth client; empty when nobody signs in to it."""
    no_confirm: bool = False
    """Its visitors are not asked whether it may know them."""
    display: bool = True
    info: Mapping[str, Any] = field(default_factory=dict, hash=False)
    command: tuple[str, ...] = ()
    """What a hub runs; empty for one that somebody else runs."""
    timeout: int = TIMEOUT
    from_config: bool = True
    """The configuration says that it is there; otherwise the API was told so."""
    node: str = ""
    pid: int = 0
    """Its process at the machine `node`, while a hub runs it."""
    start_time: str = ""


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """A stored API token of a service; the secret itself is not kept. It may do what the service may."""

    id: int
    service_id: int
    prefix: str
    hashed: str
    created: Timestamp
    note: str = ""
    generated: bool = False
    """Made by the hub for one run, and not written by somebody."""


def check_service_name(name: str) -> str:
    """Return `name` when it may name a service; raise Invalid otherwise.

    JupyterHub's rules, and that it is printable: it stands in paths, in log lines and in a cookie's name.
    """
    if not name or len(name) > _LONGEST_NAME:
        raise Invalid(f"A service's name has 1 to {_LONGEST_NAME} characters.")
    if name != name.strip() or set(name) == {"."} or "/" in name or "\\" in name:
        raise Invalid("A service's name has no slashes and no space at its ends, and is more than dots.")
    if unquote(name) != name or not name.isprintable():
        raise Invalid("A service's name has only printable characters and nothing that is escaped.")
    return name


def check_service_url(url: str) -> str:
    """Return `url` when a service may answer there; raise Invalid otherwise. Its path counts for nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("The url cannot be read: write http://HOST:PORT.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or len(url) > _LONGEST_URL:
        raise Invalid("The url must be http://HOST:PORT or https://HOST:PORT.")
    if port == 0 or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise Invalid("The url must name a port from 1 to 65535, and no password.")
    return url


def check_client_id(client_id: str) -> str:
    """Return `client_id` when a service may have it; raise Invalid otherwise."""
    if not client_id.startswith(CLIENT_PREFIX) or not client_id.isprintable():
        raise Invalid(f"The oauth_client_id of a service must begin with {CLIENT_PREFIX!r}.")
    return client_id


def check_redirect_uri(uri: str) -> str:
    """Return `uri` when visitors may be sent there; raise Invalid otherwise. A path means the hub's host."""
    if not _REDIRECT.fullmatch(uri):
        raise Invalid("The oauth_redirect_uri must be a path that begins with a slash, or an http(s) URL.")
    return uri


def check_api_token(token: str) -> str:
    """Return `token` when it is long enough to be one; raise Invalid otherwise, without repeating it."""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise Invalid(
            f"The api_token must have {SHORTEST_TOKEN} or more ASCII characters without spaces,"
            " such as `openssl rand -hex 32` prints."
        )
    return token


def service_prefix(base_url: str, name: str) -> str:
    """Return the path below which a service answers, with a slash at both ends."""
    return f"{base_url}services/{escape(name)}/"


def service_target(url: str) -> str:
    """Return where requests for a service go: scheme, host and port of its URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def service_client_id(name: str) -> str:
    """Return the OAuth client id that a service has when nothing else is said."""
    return f"{CLIENT_PREFIX}{name}"


def service_access_scopes(name: str) -> tuple[str, str]:
    """Return the scopes that open a service: any one of them admits a visitor."""
    return "access:services", f"access:services!service={name}"
