"""Users, their groups and roles, and their log-ins."""

from __future__ import annotations

from typing import Any

from carrel.compat.databases.move import Move, to_json
from carrel.compat.databases.report import counted
from carrel.domain.errors import Invalid
from carrel.domain.names import check_user_name
from carrel.domain.roles import ADMIN, USER
from carrel.lib.ids import digest
from carrel.lib.sealing import NoKeys, Unreadable
from carrel.storage.jupyterhub.records import UserRow


def take_users(move: Move) -> None:
    """Take everybody whose name can be a user's, with the ids that they have."""
    for row in move.data.users:
        try:
            check_user_name(row.name)
        except Invalid as error:
            move.report.leave(f"user {row.name[:80]!r}", f"cannot be a user here: {error}")
        else:
            move.users[row.id] = row
    closed: list[str] = []
    move.rows["users"] = [
        {
            "id": row.id,
            "name": row.name,
            "folded": row.name.casefold(),
            "admin": bool(row.admin),
            "created": row.created or move.terms.now,
            "last_activity": row.last_activity or 0.0,
            "auth_state": _auth_state(move, row, closed),
            "user_info": to_json(row.user_info) if row.user_info else None,
        }
        for row in move.users.values()
    ]
    if closed:
        move.report.blocked.append(
            f"no key opens the auth_state of {counted(len(closed), 'user')} ({', '.join(closed[:3])}): set "
            "JUPYTERHUB_CRYPT_KEY or c.CryptKeeper.keys to what JupyterHub had, or leave it behind with "
            "--no-auth-state"
        )


def _auth_state(move: Move, row: UserRow, closed: list[str]) -> str | None:
    """Return what is kept of a user, sealed as it was: the form is the same here."""
    if row.encrypted_auth_state is None:
        return None
    if not move.terms.keep_auth_state:
        move.report.leave(row.name, "the auth_state stays behind (--no-auth-state)")
        return None
    try:
        move.terms.sealer.open(row.encrypted_auth_state)
    except (NoKeys, Unreadable):
        closed.append(row.name)
    return row.encrypted_auth_state


def take_groups(move: Move) -> None:
    """Take groups and who is in them."""
    move.rows["groups"] = [
        {"id": row.id, "name": row.name, "properties": to_json(row.properties or {})}
        for row in move.data.groups
    ]
    move.rows["group_members"] = [
        {"group_id": row.group_id, "user_id": row.user_id}
        for row in move.data.user_group_map
        if row.user_id in move.users and row.group_id in move.groups
    ]


def take_roles(move: Move) -> None:
    """Take roles and who has them; everybody has the role `user` here, and `admin` of users is their flag."""
    roles = {row.id: row for row in move.data.roles}
    move.rows["roles"] = [
        {
            "id": row.id,
            "name": row.name,
            "description": row.description or "",
            "scopes": to_json(move.scopes(row.scopes, f"role {row.name}")),
            "managed_by_auth": bool(row.managed_by_auth),
        }
        for row in roles.values()
    ]
    move.rows["role_users"] = [
        {"role_id": row.role_id, "user_id": row.user_id, "managed_by_auth": bool(row.managed_by_auth)}
        for row in move.data.user_role_map
        if row.user_id in move.users and row.role_id in roles
        if roles[row.role_id].name not in (USER.name, ADMIN.name)
    ]
    services = {row.id: row.name for row in move.data.services}
    groups = [("groups", move.groups.get(row.group_id), row) for row in move.data.group_role_map]
    others = [("services", services.get(row.service_id), row) for row in move.data.service_role_map]
    bearers: list[tuple[str, str | None, Any]] = [*groups, *others]
    move.rows["role_bearers"] = [
        {"role_id": row.role_id, "kind": kind, "name": name, "managed_by_auth": bool(row.managed_by_auth)}
        for kind, name, row in bearers
        if name is not None and row.role_id in roles
    ]
    if move.data.has_roles:
        _compare_with_flags(move)


def _compare_with_flags(move: Move) -> None:
    names = {row.id: row.name for row in move.data.roles}
    held: dict[int, set[str]] = {}
    for row in move.data.user_role_map:
        held.setdefault(row.user_id, set()).add(names.get(row.role_id, ""))
    for user in move.users.values():
        own = held.get(user.id, set())
        if USER.name not in own:
            move.report.leave(user.name, "has not the role user, which everybody has here")
        if ADMIN.name in own and not user.admin:
            move.report.leave(user.name, "has the role admin without the flag, which is what counts here")


def take_log_ins(move: Move) -> None:
    """Let the cookies of everybody's browsers be exchanged for ours while they are good."""
    move.rows["imported_logins"] = [
        {
            "hashed": digest(row.cookie_id),
            "user_id": row.id,
            "expires": move.terms.now + move.terms.cookie_life,
            "spent": None,
        }
        for row in move.users.values()
    ]
