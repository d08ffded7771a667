"""Our rows as JupyterHub's: the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from carrel.compat.databases.report import Report, counted
from carrel.domain.names import server_label, server_prefix
from carrel.domain.oauth import is_claim
from carrel.domain.roles import ADMIN, DEFAULT_ROLES, USER
from carrel.domain.scope_catalog import INHERIT
from carrel.domain.servers import Actual
from carrel.domain.shares import filtered
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.lib.clock import Timestamp
from carrel.lib.ids import NewId
from carrel.storage.bulk import Rows
from carrel.storage.jupyterhub.records import (
    ClientRow,
    GroupRoleRow,
    GroupRow,
    JupyterHubData,
    MemberRow,
    RoleRow,
    ServerRow,
    ServiceRoleRow,
    ServiceRow,
    ShareCodeRow,
    ShareRow,
    SpawnerRow,
    TokenRow,
    UserRoleRow,
    UserRow,
)
from carrel.storage.jupyterhub.tables import REVISION

#: The tables that are read; the others are told in the report.
TABLES = (
    "users", "servers", "groups", "group_members", "roles", "role_users", "role_bearers", "tokens",
    "service_tokens", "services", "oauth_clients", "shares", "share_codes", "sessions", "oauth_grants",
)  # fmt: skip


def convert_back(
    rows: Mapping[str, Rows], *, base_url: str, now: Timestamp, new_id: NewId
) -> tuple[JupyterHubData, Report]:
    """Return JupyterHub's rows for ours, by table, and what is to be said of them."""
    back = _Back(rows, base_url, now, new_id)
    addresses, spawners = back.servers()
    clients = back.clients()
    data = JupyterHubData(
        revision=REVISION,
        users=back.users(),
        groups=back.groups(),
        user_group_map=back.members(),
        roles=back.roles(),
        user_role_map=back.user_roles(),
        group_role_map=back.group_roles(),
        service_role_map=back.service_roles(),
        servers=addresses,
        spawners=spawners,
        oauth_clients=clients,
        services=back.services(),
        api_tokens=[*back.tokens(), *back.service_tokens()],
        shares=back.shares(),
        share_codes=back.codes(),
    )
    back.tell(data)
    return data, back.report


@dataclass
class _Back:
    rows: Mapping[str, Rows]
    base_url: str
    now: Timestamp
    new_id: NewId
    report: Report = field(default_factory=Report)

    def __post_init__(self) -> None:
        self.names = {row["id"]: row["name"] for row in self.rows["users"]}
        self.of_server = {row["id"]: row for row in self.rows["servers"]}
        self.role_ids = {row["name"]: row["id"] for row in self.rows["roles"]}
        last = max(self.role_ids.values(), default=0)
        for number, name in enumerate(DEFAULT_ROLES, last + 1):
            self.role_ids.setdefault(name, number)
        self.kept_clients = {HUB_CLIENT_ID}

    def users(self) -> list[UserRow]:
        return [
            UserRow(
                id=row["id"],
                name=row["name"],
                admin=bool(row["admin"]),
                cookie_id=self.new_id(),
                created=row["created"],
                last_activity=row["last_activity"] or None,
                user_info=_read(row["user_info"]),
                encrypted_auth_state=row["auth_state"],
            )
            for row in self.rows["users"]
        ]

    def groups(self) -> list[GroupRow]:
        return [
            GroupRow(id=row["id"], name=row["name"], properties=_read(row["properties"]))
            for row in self.rows["groups"]
        ]

    def members(self) -> list[MemberRow]:
        rows = self.rows["group_members"]
        return [MemberRow(user_id=row["user_id"], group_id=row["group_id"]) for row in rows]

    def roles(self) -> list[RoleRow]:
        stored = [
            RoleRow(
                id=row["id"],
                name=row["name"],
                description=row["description"],
                scopes=_read(row["scopes"]),
                managed_by_auth=bool(row["managed_by_auth"]),
            )
            for row in self.rows["roles"]
        ]
        present = {row.name for row in stored}
        usual = [
            RoleRow(id=self.role_ids[name], name=name, description=role.description, scopes=list(role.scopes))
            for name, role in DEFAULT_ROLES.items()
            if name not in present
        ]
        return stored + usual

    def user_roles(self) -> list[UserRoleRow]:
        given = [
            UserRoleRow(
                user_id=row["user_id"], role_id=row["role_id"], managed_by_auth=bool(row["managed_by_auth"])
            )
            for row in self.rows["role_users"]
        ]
        held = {(row.user_id, row.role_id) for row in given}
        for user in self.rows["users"]:
            for name in (USER.name, *((ADMIN.name,) if user["admin"] else ())):
                pair = (user["id"], self.role_ids[name])
                if pair not in held:
                    given.append(UserRoleRow(user_id=pair[0], role_id=pair[1]))
        return given

    def group_roles(self) -> list[GroupRoleRow]:
        return [
            GroupRoleRow(group_id=key, role_id=role, managed_by_auth=managed)
            for key, role, managed in self._bearers("groups")
        ]

    def service_roles(self) -> list[ServiceRoleRow]:
        return [
            ServiceRoleRow(service_id=key, role_id=role, managed_by_auth=managed)
            for key, role, managed in self._bearers("services")
        ]

    def _bearers(self, kind: str) -> list[tuple[int, int, bool]]:
        ids = {row["name"]: row["id"] for row in self.rows[kind]}
        return [
            (ids[row["name"]], row["role_id"], bool(row["managed_by_auth"]))
            for row in self.rows["role_bearers"]
            if row["kind"] == kind and row["name"] in ids
        ]

    def servers(self) -> tuple[list[ServerRow], list[SpawnerRow]]:
        """Return where servers run, and the servers."""
        addresses, spawners = [], []
        clients = {row["server_id"]: row["client_id"] for row in self.rows["oauth_clients"]}
        for row in self.rows["servers"]:
            running = row["actual"] == Actual.RUNNING and bool(row["url"])
            if not running and row["actual"] not in (Actual.STOPPED, Actual.FAILED):
                self.report.leave(self._label(row), "is being started or stopped: it may be left running")
            if running:
                addresses.append(self._address(row))
            spawners.append(
                SpawnerRow(
                    id=row["id"],
                    user_id=row["user_id"],
                    name=row["name"],
                    server_id=row["id"] if running else None,
                    state=_read(row["state"]) if running else {},
                    display_name=row["display_name"] or None,
                    started=row["started"] if running else None,
                    last_activity=row["last_activity"],
                    user_options=_read(row["user_options"]) or None,
                    oauth_client_id=clients.get(row["id"]) if running else None,
                )
            )
        return addresses, spawners

    def _address(self, row: Mapping[str, Any]) -> ServerRow:
        url = urlsplit(row["url"])
        return ServerRow(
            id=row["id"],
            proto=url.scheme,
            ip=url.hostname or "",
            port=url.port or 0,
            base_url=server_prefix(self.base_url, self.names[row["user_id"]], row["name"]),
        )

    def clients(self) -> list[ClientRow]:
        """Return the OAuth clients that JupyterHub would know: of running servers, and of services."""
        hub = ClientRow(id=1, identifier=HUB_CLIENT_ID, description="JupyterHub", secret="", redirect_uri="")
        found = [hub]
        for number, row in enumerate(self.rows["oauth_clients"], 2):
            if row["kind"] == "external":
                self.report.leave(f"OAuth client {row['client_id']}", "JupyterHub knows services alone")
                continue
            server = self.of_server.get(row["server_id"])
            if server is not None and server["name"] and "!" in row["client_id"]:
                why = "JupyterHub does not know its OAuth client: restart it there, so that visitors get in"
                self.report.leave(self._label(server), why)
            self.kept_clients.add(row["client_id"])
            access, allowed = _read(row["access_scopes"]), _read(row["allowed_scopes"])
            own = [scope for scope in access if f"!{row['kind']}=" in scope]
            found.append(
                ClientRow(
                    id=number,
                    identifier=row["client_id"],
                    description=row["description"],
                    secret=_their_form(row["hashed_secret"]),
                    redirect_uri=row["redirect_uri"],
                    allowed_scopes=sorted({*own, *_without_claims(allowed)}),
                )
            )
        return found

    def services(self) -> list[ServiceRow]:
        return [
            ServiceRow(
                id=row["id"],
                name=row["name"],
                admin=bool(row["admin"]),
                url=row["url"] or None,
                info=_read(row["info"]),
                display=bool(row["display"]),
                oauth_no_confirm=bool(row["no_confirm"]),
                command=_read(row["command"]),
                timeout=row["timeout"],
                from_config=bool(row["from_config"]),
                oauth_client_id=row["client_id"] if row["client_id"] in self.kept_clients else None,
            )
            for row in self.rows["services"]
        ]

    def tokens(self) -> list[TokenRow]:
        return [
            TokenRow(
                id=row["id"],
                user_id=row["user_id"],
                hashed=_their_form(row["hashed"]),
                prefix=row["prefix"],
                client_id=row["client_id"],
                session_id=row["session_id"],
                created=row["created"],
                expires_at=row["expires"],
                last_activity=row["last_activity"],
                note=row["note"],
                scopes=_without_claims(_read(row["scopes"])),
            )
            for row in self.rows["tokens"]
            if row["client_id"] in self.kept_clients
            if row["expires"] is None or row["expires"] > self.now
        ]

    def service_tokens(self) -> list[TokenRow]:
        last = max((row["id"] for row in self.rows["tokens"]), default=0)
        return [
            TokenRow(
                id=last + number,
                service_id=row["service_id"],
                hashed=_their_form(row["hashed"]),
                prefix=row["prefix"],
                created=row["created"],
                note=row["note"],
                scopes=[INHERIT],
            )
            for number, row in enumerate(self.rows["service_tokens"], 1)
        ]

    def shares(self) -> list[ShareRow]:
        return [
            ShareRow(
                id=row["id"],
                spawner_id=row["server_id"],
                owner_id=self.of_server[row["server_id"]]["user_id"],
                user_id=row["user_id"],
                group_id=row["group_id"],
                created_at=row["created"],
                scopes=self._filtered(row),
            )
            for row in self.rows["shares"]
        ]

    def codes(self) -> list[ShareCodeRow]:
        good = [row for row in self.rows["share_codes"] if row["expires"] > self.now]
        for row in good:
            if not row["prefix"]:
                self.report.leave(f"share code sc_{row['id']}", "was made before it was noted how it begins")
        return [
            ShareCodeRow(
                id=row["id"],
                spawner_id=row["server_id"],
                owner_id=self.of_server[row["server_id"]]["user_id"],
                hashed=_their_form(row["hashed"]),
                prefix=row["prefix"],
                created_at=row["created"],
                expires_at=row["expires"],
                exchange_count=row["exchange_count"],
                last_exchanged_at=row["last_exchanged"],
                scopes=self._filtered(row),
            )
            for row in good
            if row["prefix"]
        ]

    def _filtered(self, row: Mapping[str, Any]) -> list[str]:
        server = self.of_server[row["server_id"]]
        return filtered(_read(row["scopes"]), f"{self.names[server['user_id']]}/{server['name']}")

    def _label(self, row: Mapping[str, Any]) -> str:
        return f"server {server_label(self.names[row['user_id']], row['name'])}"

    def tell(self, data: JupyterHubData) -> None:
        """Say how much goes along, and what stays behind."""
        report = self.report
        running = sum(row.server_id is not None for row in data.spawners)
        report.does += [
            f"{counted(len(data.users), 'user')}, {counted(len(data.groups), 'group')}, "
            f"{counted(len(data.roles), 'role')}, {counted(len(data.services), 'service')}",
            f"{counted(len(data.spawners), 'server')}, {running} of them running",
            f"{counted(len(data.api_tokens), 'token')}, all of which work there",
            f"{counted(len(data.shares), 'share')} and {counted(len(data.share_codes), 'share code')}",
        ]
        if self.rows["sessions"]:
            report.leave(
                "log-ins at the hub", "JupyterHub signs its cookies otherwise: everybody signs in once"
            )
        if self.rows["oauth_grants"]:
            report.leave(counted(len(self.rows["oauth_grants"]), "application"), "stay connected only here")


def _their_form(hashed: str) -> str:
    """Return a digest as JupyterHub compares it: ours is one round of SHA-256 without salt."""
    return hashed if ":" in hashed or not hashed else f"sha256:1::{hashed}"


def _without_claims(scopes: Sequence[str]) -> list[str]:
    return [scope for scope in scopes if not is_claim(scope)]


def _read(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
