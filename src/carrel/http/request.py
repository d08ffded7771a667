"""What the plumbing knows about one request before any handler runs."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.servers import Server
from carrel.domain.services import Service

#: Any request or websocket: handlers and dependencies take this.
Connection = HTTPConnection
Scope = MutableMapping[str, Any]

_KEY = "carrel.request"
_MOST_COOKIES = 8


@dataclass(frozen=True, slots=True)
class DeployersHtml:
    """A page holds HTML of the deployer's: what it may do beyond our own pages."""

    handlers: frozenset[str] = frozenset()
    """The hashes of its inline event handlers, as a policy names them."""
    templates: bool = False
    """It is made of the deployer's templates, where every script has the nonce and may load others."""


@dataclass(slots=True)
class RequestFacts:
    """The request as the browser sent it, and who turned out to have sent it."""

    id: str
    method: str
    """As sent: a HEAD is answered by the handler for GET."""
    path: str
    """Decoded, with the base URL."""
    raw_path: str
    """As sent, still escaped, without the query."""
    query: str
    scheme: str
    """`http` or `https`, on the public side."""
    client: str
    """The visitor's address."""
    nonce: str = ""
    """Allows this page's inline scripts in its Content-Security-Policy; empty on pages that have none."""
    handler: str = ""
    """What answers, by its place in our code; empty when nothing is at the address."""
    form_target: str = ""
    """The origin that a form of this page leads on to, where it is another one."""
    deployers: DeployersHtml | None = None
    """None on pages that are all our own."""
    for_programs: bool = False
    """What answers is for programs, wherever it is: tokens count, and cookies only as they do to the API."""
    looked_up: bool = False
    caller: Caller | None = None
    services: Sequence[Service] = ()
    """Those that the visitor of a page may open."""
    servers: Sequence[Server] = ()
    """The visitor's own, where templates may ask for them."""
    auth_state: Mapping[str, Any] | None = None
    """What the authenticator keeps about the visitor, where templates may ask for it."""

    @property
    def url(self) -> str:
        """Return path and query as sent."""
        return f"{self.raw_path}?{self.query}" if self.query else self.raw_path


def nonce_of(facts: RequestFacts) -> str:
    """Return the nonce for a page's inline scripts; from now on the page's policy names it."""
    facts.nonce = facts.nonce or secrets.token_urlsafe(12)
    return facts.nonce


def facts_of(scope: Any) -> RequestFacts:
    """Return the facts of a request, gathered now when no middleware has done so."""
    facts: RequestFacts | None = scope.get(_KEY)
    if facts is None:
        client = scope.get("client")
        facts = remember(scope, scheme=scope.get("scheme", "http"), client=client[0] if client else "")
    return facts


def remember(scope: Any, *, scheme: str, client: str) -> RequestFacts:
    """Gather the facts of a request from its ASGI scope and keep them there."""
    raw = scope.get("raw_path") or scope["path"].encode()
    facts = RequestFacts(
        id=f"{random.getrandbits(48):012x}",
        method=scope.get("method", "GET"),
        path=scope["path"],
        raw_path=raw.decode("latin-1").partition("?")[0],
        query=scope.get("query_string", b"").decode("latin-1"),
        scheme=scheme,
        client=client,
    )
    scope[_KEY] = facts
    return facts


def hub_of(connection: Connection) -> HubContext:
    """Return the hub's parts, which the composition root put on the application's state."""
    hub: HubContext = connection.app.state.hub
    return hub


def is_api(path: str, base_url: str) -> bool:
    """Tell whether a path belongs to the REST API.

    OAuth's authorize endpoint is a page for people, reached by redirects from anywhere, although it is below.
    """
    if path.rstrip("/") == f"{base_url}hub/api/oauth2/authorize":
        return False
    return path == f"{base_url}hub/api" or path.startswith(f"{base_url}hub/api/")


def header(connection: Connection, name: str) -> str:
    """Return a header, or an empty string."""
    return str(connection.headers.get(name, ""))


def cookies(connection: Connection, name: str) -> list[str]:
    """Return every value of a cookie, the one with the most specific path first.

    A browser sends all cookies of a name that match; one that was planted must not hide the good one.
    """
    found = []
    for line in connection.headers.getlist("cookie"):
        for pair in line.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                found.append(value.strip('"'))
    return found[:_MOST_COOKIES]
