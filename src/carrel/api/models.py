"""JSON shapes of the REST API, JupyterHub's field for field. What the caller may not see is absent."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from carrel.core.caller import Caller
from carrel.core.groups import GroupWithRoles
from carrel.core.servers import may_read_log
from carrel.core.standing import Standing
from carrel.core.users import UserWithServers
from carrel.domain.hosts import Hosts
from carrel.domain.names import full_name, progress_path, server_prefix
from carrel.domain.servers import Failure, Server, never_started
from carrel.domain.tokens import Token
from carrel.lib.clock import Timestamp, isoformat
from carrel.spawners.reports import Usage

#: Each of these shows whose the rest is.
_NAMING = frozenset(
    {
        "read:users:name",
        "read:users:groups",
        "read:users:activity",
        "read:roles:users",
        "read:servers",
        "admin:auth_state",
    }
)
_SHOWING = _NAMING | {"read:users"}


class FailureModel(Struct):
    """Why the last start or run failed; the log only for those who may read it."""

    code: str
    message: str
    hint: str
    log: str | UnsetType = UNSET


class UsageModel(Struct):
    """What a running server uses, as far as that is known."""

    memory: int | None
    """Bytes."""
    memory_limit: int | None
    cpu: float | None
    """Seconds of CPU since its start."""
    processes: int | None
    process_limit: int | None
    killed: int
    """Processes that the kernel has killed for want of memory."""
    refused: int
    """How often it was not allowed one process more."""


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
    failure: FailureModel | UnsetType = UNSET
    usage: UsageModel | UnsetType = UNSET
    """In answers about this server alone."""
    queue_position: int | UnsetType = UNSET
    """While the start waits for its turn, here or in the queue of its back end: how many are ahead."""
    expected_start: str | UnsetType = UNSET
    """When a start that waits in the queue of its back end is expected to begin."""
    waits_for: list[str] | UnsetType = UNSET
    """The kinds of devices that a start waits for, on a hub with devices."""
    devices: dict[str, list[str]] | UnsetType = UNSET
    """The devices that the server has to itself, by kind."""


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


class GroupModel(Struct):
    """A group, as far as the caller's scopes go."""

    name: str
    kind: str = "group"
    users: tuple[str, ...] | UnsetType = UNSET
    roles: tuple[str, ...] | UnsetType = UNSET
    properties: dict[str, Any] | UnsetType = UNSET


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


def failure_model(failure: Failure, caller: Caller, user_name: str, server_name: str = "") -> FailureModel:
    """Return a failure as JSON, with the server's last lines if the caller may read them."""
    log = failure.log if may_read_log(caller, user_name, server_name) else UNSET
    return FailureModel(failure.code, failure.message, failure.hint, log)


def usage_model(usage: Usage) -> UsageModel:
    """Return what a server uses as JSON."""
    return UsageModel(
        memory=usage.memory,
        memory_limit=usage.memory_limit,
        cpu=usage.cpu,
        processes=usage.processes,
        process_limit=usage.process_limit,
        killed=usage.killed,
        refused=usage.refused,
    )


def server_model(server: Server, hosts: Hosts, caller: Caller, waits: Standing | None = None) -> ServerModel:
    """Return a server as JSON; its driver's state and its log only for who may see them.

    `waits` is where its start stands and what its run has, None when there is nothing to say.
    """
    full = full_name(server.user_name, server.name)
    url = server_prefix(hosts.base_url, server.user_name, server.name)
    progress = progress_path(hosts.base_url, server.user_name, server.name)
    pending = server.pending
    # A start counts as activity, and begins when it is asked for.
    started = server.wished or None if pending == "spawn" else server.started
    model = ServerModel(
        name=server.name,
        full_name=full,
        display_name=server.display_name,
        last_activity=moment(max(server.last_activity or 0.0, started or 0.0) or None),
        started=moment(started),
        pending=pending,
        ready=server.ready,
        stopped=not server.active,
        url=url,
        user_options=dict(server.user_options),
        progress_url=progress,
    )
    if hosts.origin:
        model.full_url = hosts.full_server_url(server.user_name, server.name)
        model.full_progress_url = hosts.full(progress)
    if caller.may("admin:server_state", server=full):
        model.state = dict(server.state)
    if server.failure is not None:
        model.failure = failure_model(server.failure, caller, server.user_name, server.name)
    if waits is not None:
        _add_standing(model, waits)
    return model


def _add_standing(model: ServerModel, waits: Standing) -> None:
    if waits.ahead is not None:
        model.queue_position = waits.ahead
    if waits.expected is not None:
        model.expected_start = isoformat(waits.expected)
    if waits.waits_for:
        model.waits_for = list(waits.waits_for)
    if waits.devices:
        model.devices = {kind: list(names) for kind, names in waits.devices.items()}


def user_models(
    caller: Caller, records: Sequence[UserWithServers], hosts: Hosts, *, include_stopped: bool = False
) -> list[UserModel]:
    """Return users as JSON with the fields that the caller may see."""
    scopes = caller.scopes
    alike = all(scope in scopes.everywhere or scope not in scopes.held for scope in _SHOWING)
    # A page has hundreds of users: where it makes no difference whose record it is, it is asked once.
    seen = _seen(caller, None) if alike else None
    models = []
    for record in records:
        model = UserModel()
        _fill(model, caller, seen, record, hosts, include_stopped)
        models.append(model)
    return models


def user_model(
    caller: Caller, record: UserWithServers, hosts: Hosts, *, include_stopped: bool = False
) -> UserModel:
    """Return a user as JSON with the fields that the caller may see."""
    return user_models(caller, (record,), hosts, include_stopped=include_stopped)[0]


def _seen(caller: Caller, user: str | None) -> Set[str]:
    """Return those of the scopes that show something of a user which the caller has for them."""
    return {scope for scope in _SHOWING if caller.may(scope, user=user)}


def _fill(
    model: UserModel,
    caller: Caller,
    seen: Set[str] | None,
    record: UserWithServers,
    hosts: Hosts,
    include_stopped: bool,
) -> None:
    """Set the fields of `model` that the caller may see; `seen` says by which scopes, None to ask."""
    user = record.user
    if caller.scopes.group_filters:
        caller = replace(caller, groups_of={user.name: record.groups})
    if seen is None:
        seen = _seen(caller, user.name)
    model.servers = _servers(caller, record, hosts, include_stopped)
    if not seen.isdisjoint(_NAMING):
        model.name = user.name
    if "read:users:name" in seen:
        model.admin, model.user_info = user.admin, dict(user.user_info) or None
    if "read:users:groups" in seen:
        model.groups = list(record.groups)
    if "read:users:activity" in seen:
        model.last_activity = moment(user.last_activity)
    if "read:users" in seen or "read:roles:users" in seen:
        model.roles = [*(["admin"] if user.admin else []), "user", *record.roles]
        model.admin = user.admin
    if "admin:auth_state" in seen:
        model.auth_state = None if record.auth_state is None else dict(record.auth_state)
    if "read:users" in seen:
        model.created = isoformat(user.created)
        default = _default(record.servers)
        ready = default is not None and default.ready
        model.server = server_prefix(hosts.base_url, user.name) if ready else None
        model.pending = None if default is None else default.pending


def _default(servers: Sequence[Server]) -> Server | None:
    for server in servers:
        if not server.name:
            return server
    return None


def identity_model(caller: Caller, record: UserWithServers, hosts: Hosts) -> IdentityModel:
    """Return the caller as JSON; name and groups are always there."""
    model = IdentityModel(
        session_id=caller.session_id,
        token_id=None if caller.token is None else f"a{caller.token.id}",
        scopes=caller.scopes.ordered,
    )
    _fill(model, caller, None, record, hosts, include_stopped=False)
    model.name, model.admin, model.groups = record.user.name, record.user.admin, list(record.groups)
    return model


def group_model(caller: Caller, record: GroupWithRoles) -> GroupModel:
    """Return a group as JSON with the fields that the caller may see."""
    group = record.group
    model = GroupModel(group.name)
    if caller.may("read:groups", group=group.name):
        model.users, model.properties = group.members, dict(group.properties)
    if caller.may("read:roles:groups", group=group.name):
        model.roles = record.roles
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
    caller: Caller, record: UserWithServers, hosts: Hosts, include_stopped: bool
) -> dict[str, ServerModel] | UnsetType:
    everywhere = "read:servers" in caller.scopes.everywhere
    if not everywhere and "read:servers" not in caller.scopes.held:
        return UNSET
    shown: dict[str, ServerModel] = {}
    servers = record.servers
    if include_stopped and all(server.name for server in servers):
        servers = (never_started(record.user), *servers)
    for server in servers:
        if not server.active and not include_stopped:
            continue
        full = full_name(record.user.name, server.name)
        if everywhere or caller.may("read:servers", server=full):
            shown[server.name] = server_model(server, hosts, caller, record.standings.get(server.id))
    if not shown and not caller.may("read:servers", user=record.user.name):
        return UNSET
    return shown
