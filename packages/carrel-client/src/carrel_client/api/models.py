"""What a hub's REST API says of users, servers, tokens, groups, services, shares and itself.

The hub leaves out what the caller may not see: such a field is None. Fields that are not named here are
ignored, so a newer hub does no harm.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct


class Failure(Struct, frozen=True, kw_only=True):
    """Why a start failed, as Carrel says it; `log` are the last lines of the server's own."""

    code: str
    message: str
    hint: str = ""
    log: str | None = None


class Usage(Struct, frozen=True, kw_only=True):
    """What a running server uses; None is unknown or without limit."""

    memory: int | None = None
    """Bytes."""
    memory_limit: int | None = None
    cpu: float | None = None
    """Seconds of CPU since its start."""
    processes: int | None = None
    process_limit: int | None = None
    killed: int = 0
    """Processes that the kernel has killed for want of memory."""
    refused: int = 0
    """How often it was not allowed one process more."""


class Server(Struct, frozen=True, kw_only=True):
    """A user's server; the default one's name is ''."""

    name: str = ""
    full_name: str | None = None
    display_name: str | None = None
    url: str = ""
    ready: bool = False
    pending: str | None = None
    stopped: bool = False
    started: datetime | None = None
    last_activity: datetime | None = None
    user_options: dict[str, Any] | None = None
    progress_url: str | None = None
    full_url: str | None = None
    state: dict[str, Any] | None = None
    failure: Failure | None = None
    queue_position: int | None = None
    expected_start: datetime | None = None
    waits_for: list[str] | None = None
    devices: dict[str, list[str]] | None = None
    usage: Usage | None = None
    """In answers about this server alone."""


class User(Struct, frozen=True, kw_only=True):
    """A user."""

    name: str
    kind: str = "user"
    admin: bool | None = None
    roles: list[str] | None = None
    groups: list[str] | None = None
    server: str | None = None
    pending: str | None = None
    created: datetime | None = None
    last_activity: datetime | None = None
    servers: dict[str, Server] | None = None
    auth_state: dict[str, Any] | None = None
    user_info: dict[str, Any] | None = None


class Identity(User, frozen=True, kw_only=True):
    """Whoever holds the token in use, and what it may do."""

    scopes: list[str] = []
    token_id: str | None = None
    session_id: str | None = None


class Token(Struct, frozen=True, kw_only=True):
    """An API token; `token` is its secret and only there when it was just made."""

    id: str
    kind: str = "api_token"
    user: str | None = None
    service: str | None = None
    scopes: list[str] = []
    note: str | None = None
    created: datetime | None = None
    last_activity: datetime | None = None
    expires_at: datetime | None = None
    session_id: str | None = None
    oauth_client: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"Token(id={self.id!r}, note={self.note!r})"


class TokenList(Struct, frozen=True):
    """A user's tokens."""

    api_tokens: list[Token]


class Group(Struct, frozen=True, kw_only=True):
    """A group."""

    name: str
    kind: str = "group"
    users: list[str] | None = None
    roles: list[str] | None = None
    properties: dict[str, Any] | None = None


class Service(Struct, frozen=True, kw_only=True):
    """A service."""

    name: str
    kind: str = "service"
    admin: bool | None = None
    roles: list[str] | None = None
    url: str | None = None
    prefix: str | None = None
    pid: int | None = None
    info: dict[str, Any] | None = None
    display: bool | None = None


class Named(Struct, frozen=True):
    """A user or group of which only the name is told."""

    name: str


class SharedServer(Struct, frozen=True, kw_only=True):
    """A server as a share shows it."""

    name: str = ""
    user: Named | None = None
    url: str | None = None
    full_url: str | None = None
    ready: bool | None = None


class Share(Struct, frozen=True, kw_only=True):
    """The right of a user or group to use somebody's server."""

    server: SharedServer
    scopes: list[str] = []
    user: Named | None = None
    group: Named | None = None
    kind: str | None = None
    created_at: datetime | None = None


class ShareCode(Struct, frozen=True, kw_only=True):
    """An invitation; `code` and the URLs are only there when it was just made."""

    server: SharedServer
    id: str
    scopes: list[str] = []
    created_at: datetime | None = None
    expires_at: datetime | None = None
    exchange_count: int = 0
    last_exchanged_at: datetime | None = None
    code: str | None = None
    accept_url: str | None = None
    full_accept_url: str | None = None


class Route(Struct, frozen=True):
    """A route of the data plane."""

    routespec: str
    target: str
    data: dict[str, Any] = {}


class Version(Struct, frozen=True):
    """The version that the hub calls itself."""

    version: str


class Info(Struct, frozen=True, kw_only=True):
    """What the hub runs on."""

    version: str
    python: str | None = None
    sys_executable: str | None = None
    spawner: dict[str, Any] | None = None
    authenticator: dict[str, Any] | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """A step of a start; the last one has `ready` or `failed`."""

    progress: int = 0
    message: str = ""
    html_message: str | None = None
    ready: bool = False
    failed: bool = False
    url: str | None = None
    failure: Failure | None = None
