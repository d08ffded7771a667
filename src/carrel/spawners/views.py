"""What a driver sees of the hub: small objects with the attributes that JupyterHub's spawners read.

They hold no connection to anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from carrel.domain.names import escape, server_prefix
from carrel.lib.net import join_host

AuthState = Mapping[str, Any] | None


@dataclass(slots=True)
class ServerView:
    """Where a server listens, as JupyterHub's `spawner.server`; drivers of old set `ip` and `port` on it."""

    base_url: str
    ip: str = ""
    port: int = 0
    proto: str = "http"

    @property
    def host(self) -> str:
        """Return where it answers, scheme to port; empty while that is unknown."""
        return f"{self.proto}://{join_host(self.ip or '127.0.0.1', self.port)}" if self.port else ""

    @property
    def url(self) -> str:
        """Return where it answers, scheme to prefix; the prefix alone while the rest is unknown."""
        return f"{self.host}{self.base_url}"

    def place(self, url: str) -> None:
        """Take over where it answers, scheme to port; nothing when that is unknown."""
        if url:
            parts = urlsplit(url)
            self.proto, self.ip = parts.scheme, parts.hostname or ""
            self.port = parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(slots=True)
class HubView:
    """Where the hub is, as JupyterHub's `spawner.hub`."""

    api_url: str
    """`http://127.0.0.1:8081/hub/api`, as servers reach it."""
    base_url: str = "/hub/"
    public_host: str = ""
    """Scheme and host of the hub, only where hub and servers have different ones."""
    public_url: str = ""
    """Scheme and host that visitors use, without a path; empty when unknown."""
    hub_id: str = ""
    """Which installation a process belongs to; goes into every label."""
    warm_starts: Any = field(default=None, repr=False, compare=False)
    """What starts local servers quickly, `carrel.spawners.warm.WarmStarts`; None where nothing does."""

    @property
    def url(self) -> str:
        """Return where the hub's pages are, as servers reach them."""
        return self.api_url.removesuffix("api")

    @property
    def server(self) -> ServerView:
        """Return the same as JupyterHub of old says it: address, port and base URL."""
        parts = urlsplit(self.api_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return ServerView(self.base_url, parts.hostname or "", port, parts.scheme)

    @property
    def host(self) -> str:
        """Return scheme, host and port, as servers reach the hub."""
        return self.server.host

    @property
    def ip(self) -> str:
        """Return the address by which servers reach the hub."""
        return self.server.ip

    @property
    def port(self) -> int:
        """Return the port at which servers reach the hub."""
        return self.server.port


async def _no_auth_state() -> AuthState:
    return None


class GroupView(str):
    """A group's name; drivers ask `group.name` of it, as of JupyterHub's groups."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return the name."""
        return str(self)


@dataclass(slots=True)
class UserView:
    """Whose server it is, as JupyterHub's `spawner.user`."""

    id: int
    name: str
    base_url: str
    """The hub's base URL, `/`."""
    host: str = ""
    """Scheme and host of the user's servers, where they have others than the hub."""
    admin: bool = False
    groups: tuple[GroupView, ...] = ()
    load_auth_state: Callable[[], Awaitable[AuthState]] = _no_auth_state
    settings: Mapping[str, Any] = field(default_factory=dict)
    server: ServerView | None = None
    """Where the driver's server listens; drivers of old set `ip` and `port` on it."""
    spawners: Any = field(default_factory=WeakValueDictionary, repr=False)
    """The driver itself, by the server's name."""

    @property
    def domain(self) -> str:
        """Return the host of the user's servers without port; empty for the hub's own."""
        return urlsplit(self.host).hostname or ""

    @property
    def proxy_spec(self) -> str:
        """Return the route specification of the user's servers, as proxies have it."""
        return f"{self.domain}{self.url}"

    @property
    def escaped_name(self) -> str:
        """Return the name as a URL path segment."""
        return escape(self.name)

    @property
    def url(self) -> str:
        """Return the prefix of the default server, `/user/NAME/`."""
        return server_prefix(self.base_url, self.name)

    def server_url(self, server_name: str = "") -> str:
        """Return the prefix of one server."""
        return server_prefix(self.base_url, self.name, server_name)

    @property
    def spawner(self) -> Any:
        """Return the driver of the default server, None where this is another's."""
        return self.spawners.get("")

    async def get_auth_state(self) -> AuthState:
        """Return what the authenticator keeps about the user, or None."""
        return await self.load_auth_state()


class NoSession:
    """What drivers of old know as `spawner.db`: the hub keeps what they set; nothing is left to commit."""

    def commit(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class ServerRecord:
    """What drivers of old know as `spawner.orm_spawner`: the server's row as it was when they were built."""

    id: int
    name: str
    server: ServerView
    user: UserView
    user_options: Mapping[str, Any]
    state: Mapping[str, Any]
