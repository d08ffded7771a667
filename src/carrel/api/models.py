"""JSON shapes of the REST API, JupyterHub's field for field. What the caller may not see is absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from carrel.core.caller import Caller
from carrel.core.users import UserWithServers
from carrel.domain.names import escape, full_name, server_prefix
from carrel.domain.servers import Server, never_started
from carrel.domain.tokens import Token
from carrel.lib.clock import Timestamp, isoformat

#: Each of these shows whose the rest is.
_NAMING = (
    "read:users:name",
    "read:users:groups",
    "read:users:activity",
    "read:roles:users",
    "read:servers",
    "admin:auth_state",
)


class ServerModel(Struct):
    """A server."""

    name: str
    full_name: str
    display_name: str
    last_activity: str | None
    started: str | None
    pending: str | None
    ready: bool
    stopped: bool
    url: str
    user_options: dict[str, Any]
    progress_url: str
    full_url: str | None = None
    full_progress_url: str | None = None
    state: dict[str, Any] | UnsetType = UNSET


class UserModel(Struct, kw_only=True):
    """A user, as far as the caller's scopes go."""

    name: str | UnsetType = UNSET
    kind: str = "user"
    user_info: dict[str, Any] | UnsetType | None = UNSET
    admin: bool | UnsetType = UNSET
    roles: list[str] | UnsetType = UNSET
    groups: list[str] | UnsetType = UNSET
    server: str | UnsetType | None = UNSET
    pending: str | UnsetType | None = UNSET
    created: str | UnsetType = UNSET
    last_activity: str | UnsetType | None = UNSET
    auth_state: dict[str, Any] | UnsetType | None = UNSET
    servers: dict[str, ServerModel] | UnsetType = UNSET


class IdentityModel(UserModel, kw_only=True):
    """The caller, with what the token or session in use may do."""

    session_id: str | None = None
    token_id: str | None = None
    scopes: list[str] = []


class TokenModel(Struct, kw_only=True):
    """An API token; `token` is its secret and only in the answer that makes it."""

    user: str
    id: str
    kind: str = "api_token"
    roles: list[str] = []
    scopes: list[str]
    created: str
    last_activity: str | None
    expires_at: str | None
    note: str
    session_id: str | None
    oauth_client: str
    token: str | UnsetType = UNSET


def moment(timestamp: Timestamp | None) -> str | None:
    """Return a timestamp as the API writes it."""
    return None if timestamp is None else isoformat(timestamp)


def server_model(server: Server, base_url: str, *, state: bool = False) -> ServerModel:
    """Return a server as JSON; its driver's state only when `state` is set."""
    # A start counts as activity, and begins when it is asked for.
    started = server.wished or None if server.pending == "spawn" else server.started
    progress = f"{base_url}hub/api/users/{escape(server.user_name)}/"
    progress += f"servers/{escape(server.name)}/progress" if server.name else "server/progress"
    return ServerModel(
        name=server.name,
        full_name=full_name(server.user_name, server.name),
        display_name=server.display_name,
        last_activity=moment(max(server.last_activity or 0.0, started or 0.0) or None),
        started=moment(started),
        pending=server.pending,
        ready=server.ready,
        stopped=not server.active,
        url=server_prefix(base_url, server.user_name, server.name),
        user_options=dict(server.user_options),
        progress_url=progress,
        state=dict(server.state) if state else UNSET,
    )


def user_model(
    caller: Caller, record: UserWithServers, base_url: str, *, include_stopped: bool = False
) -> UserModel:
    """Return a user as JSON with the fields that the caller may see."""
    model = UserModel()
    fill_user(model, caller, record, base_url, include_stopped=include_stopped)
    return model


def fill_user(
    model: UserModel, caller: Caller, record: UserWithServers, base_url: str, *, include_stopped: bool = False
) -> None:
    """Set the fields of `model` that the caller may see."""
    user = record.user
    model.servers = _servers(caller, record, base_url, include_stopped)
    whole = caller.may("read:users", user=user.name)
    if any(caller.may(scope, user=user.name) for scope in _NAMING):
        model.name = user.name
    if caller.may("read:users:name", user=user.name):
        model.admin, model.user_info = user.admin, None
    if caller.may("read:users:groups", user=user.name):
        model.groups = []
    if caller.may("read:users:activity", user=user.name):
        model.last_activity = moment(user.last_activity)
    if whole or caller.may("read:roles:users", user=user.name):
        model.roles = ["admin", "user"] if user.admin else ["user"]
        model.admin = user.admin
    if caller.may("admin:auth_state", user=user.name):
        model.auth_state = None
    if whole:
        model.created = isoformat(user.created)
        default = next((server for server in record.servers if not server.name), None)
        model.server = server_prefix(base_url, user.name) if default is not None and default.ready else None
        model.pending = None if default is None else default.pending


def identity_model(caller: Caller, record: UserWithServers, base_url: str) -> IdentityModel:
    """Return the caller as JSON; name and groups are always there."""
    model = IdentityModel(
        session_id=caller.session_id,
        token_id=None if caller.token is None else f"a{caller.token.id}",
        scopes=caller.scopes.ordered,
    )
    fill_user(model, caller, record, base_url)
    model.name, model.admin, model.groups = record.user.name, record.user.admin, []
    return model


def token_model(token: Token, scopes: Sequence[str], secret: str | None = None) -> TokenModel:
    """Return a token with what it may do as JSON, and with its secret when it was just made."""
    return TokenModel(
        user=token.user_name,
        id=f"a{token.id}",
        scopes=list(scopes),
        created=isoformat(token.created),
        last_activity=moment(token.last_activity),
        expires_at=moment(token.expires),
        note=token.note,
        session_id=token.session_id,
        oauth_client="JupyterHub" if token.client_id == "jupyterhub" else token.client_id,
        token=UNSET if secret is None else secret,
    )


def _servers(
    caller: Caller, record: UserWithServers, base_url: str, include_stopped: bool
) -> dict[str, ServerModel] | UnsetType:
    if caller.scopes.grant("read:servers") is None:
        return UNSET
    shown: dict[str, ServerModel] = {}
    servers = record.servers
    if include_stopped and all(server.name for server in servers):
        servers = (never_started(record.user), *servers)
    for server in servers:
        full = full_name(record.user.name, server.name)
        if (server.active or include_stopped) and caller.may("read:servers", server=full):
            state = caller.may("admin:server_state", server=full)
            shown[server.name] = server_model(server, base_url, state=state)
    if not shown and not caller.may("read:servers", user=record.user.name):
        return UNSET
    return shown
