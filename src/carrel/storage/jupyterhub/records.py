"""What a JupyterHub database holds, the same for every release: rows with its tables' and columns' names.

Moments are Unix seconds, JSON is decoded. Scopes and roles are JupyterHub's words. Columns that an old
release does not have come out as the default here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    id: int
    name: str
    cookie_id: str
    """What the log-in cookies of all their browsers carry."""
    admin: bool = False
    created: Timestamp | None = None
    last_activity: Timestamp | None = None
    user_info: Any = None
    encrypted_auth_state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnerRow:
    id: int
    user_id: int
    name: str = ""
    server_id: int | None = None
    """The address that it runs at; None for one that does not run."""
    state: Any = None
    display_name: str | None = None
    started: Timestamp | None = None
    last_activity: Timestamp | None = None
    user_options: Any = None
    oauth_client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    id: int
    proto: str = "http"
    ip: str = ""
    port: int = 0
    base_url: str = "/"
    cookie_name: str = "cookie"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    id: int
    name: str
    properties: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    id: int
    name: str
    description: str | None = None
    scopes: Any = None
    managed_by_auth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    id: int
    name: str
    admin: bool = False
    url: str | None = None
    oauth_client_allowed_scopes: Any = None
    info: Any = None
    display: bool | None = None
    oauth_no_confirm: bool | None = None
    command: Any = None
    timeout: int = 30
    from_config: bool = True
    oauth_client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    id: int
    hashed: str
    prefix: str
    user_id: int | None = None
    service_id: int | None = None
    client_id: str | None = "jupyterhub"
    session_id: str | None = None
    created: Timestamp | None = None
    expires_at: Timestamp | None = None
    last_activity: Timestamp | None = None
    note: str | None = None
    scopes: Any = None
    """None for one that may do what its client says, as in JupyterHub 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    id: int
    identifier: str
    description: str | None = None
    secret: str | None = None
    redirect_uri: str | None = None
    allowed_scopes: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    id: int
    spawner_id: int
    owner_id: int | None = None
    user_id: int | None = None
    group_id: int | None = None
    created_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    scopes: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareCodeRow:
    id: int
    spawner_id: int
    hashed: str
    prefix: str
    owner_id: int | None = None
    created_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    exchange_count: int = 0
    last_exchanged_at: Timestamp | None = None
    scopes: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    user_id: int
    group_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRoleRow:
    user_id: int
    role_id: int
    managed_by_auth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRoleRow:
    group_id: int
    role_id: int
    managed_by_auth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRoleRow:
    service_id: int
    role_id: int
    managed_by_auth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JupyterHubData:
    """A whole database."""

    revision: str
    users: Sequence[UserRow] = ()
    groups: Sequence[GroupRow] = ()
    user_group_map: Sequence[MemberRow] = ()
    roles: Sequence[RoleRow] = ()
    user_role_map: Sequence[UserRoleRow] = ()
    group_role_map: Sequence[GroupRoleRow] = ()
    service_role_map: Sequence[ServiceRoleRow] = ()
    servers: Sequence[ServerRow] = ()
    oauth_clients: Sequence[ClientRow] = ()
    spawners: Sequence[SpawnerRow] = ()
    services: Sequence[ServiceRow] = ()
    api_tokens: Sequence[TokenRow] = ()
    shares: Sequence[ShareRow] = ()
    share_codes: Sequence[ShareCodeRow] = ()
    has_roles: bool = True
    """Whether the release knows roles and scopes at all."""
    leftovers: Mapping[str, int] = field(default_factory=dict)
    """Tables with rows that nobody here knows, and how many rows: of plug-ins that keep theirs there."""


#: The kind of row in each table, in an order in which no row refers to a later one.
ROWS: Mapping[str, type[Any]] = {
    "servers": ServerRow,
    "roles": RoleRow,
    "groups": GroupRow,
    "users": UserRow,
    "user_group_map": MemberRow,
    "oauth_clients": ClientRow,
    "spawners": SpawnerRow,
    "services": ServiceRow,
    "user_role_map": UserRoleRow,
    "group_role_map": GroupRoleRow,
    "service_role_map": ServiceRoleRow,
    "api_tokens": TokenRow,
    "shares": ShareRow,
    "share_codes": ShareCodeRow,
}
