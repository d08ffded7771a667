"""JupyterHub's rows as ours: who comes along, with what, and what cannot and why."""

from __future__ import annotations

from carrel.compat.databases.move import Move, Rows, Terms
from carrel.compat.databases.people import take_groups, take_log_ins, take_roles, take_users
from carrel.compat.databases.report import Report, counted
from carrel.compat.databases.servers import take_clients, take_servers, take_services
from carrel.compat.databases.shares import take_codes, take_shares
from carrel.compat.databases.tokens import take_tokens
from carrel.domain.roles import DEFAULT_ROLES
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.storage.jupyterhub.records import JupyterHubData
from carrel.storage.jupyterhub.tables import RELEASES


def convert(data: JupyterHubData, terms: Terms) -> tuple[Rows, Report]:
    """Return our rows by table, and the report; nothing may be written when the report says why not."""
    move = Move(data, terms)
    take_users(move)
    take_groups(move)
    take_roles(move)
    take_services(move)
    take_servers(move)
    take_clients(move)
    take_tokens(move)
    take_shares(move)
    take_codes(move)
    take_log_ins(move)
    _tell(move)
    return move.rows, move.report


def _tell(move: Move) -> None:
    data, rows, report = move.data, move.rows, move.report
    report.found += [
        f"a database of JupyterHub {RELEASES[data.revision]} (schema {data.revision})",
        f"{counted(len(data.users), 'user')}, {counted(len(data.groups), 'group')}, "
        f"{counted(len(data.services), 'service')}, {counted(len(data.api_tokens), 'token')}",
    ]
    own = sum(row["client_id"] == HUB_CLIENT_ID for row in rows["tokens"])
    roles = sum(row["name"] not in DEFAULT_ROLES for row in rows["roles"])
    admins = sum(row["admin"] for row in rows["users"])
    sealed = sum(row["auth_state"] is not None for row in rows["users"])
    report.does += [
        f"{counted(len(rows['users']), 'user')} ({counted(admins, 'admin')}; {sealed} with auth_state)",
        f"{counted(len(rows['groups']), 'group')} with {counted(len(rows['group_members']), 'member')}",
        f"{counted(roles, 'role')} beside the usual ones",
        f"{counted(len(rows['servers']), 'server')}, {len(move.running)} of them running",
        f"{counted(own, 'API token')} of users, {len(rows['service_tokens'])} of services",
        f"{counted(len(rows['tokens']) - own, 'visit')} of browsers at servers and services",
        f"{counted(len(rows['shares']), 'share')} and {counted(len(rows['share_codes']), 'share code')}",
    ]
    ends = [row.expires_at for row in data.api_tokens if row.expires_at is not None]
    expired = sum(end <= move.terms.now for end in ends)
    if expired:
        report.leave(counted(expired, "token"), "expired")
    for name, count in data.leftovers.items():
        report.leave(f"table {name} ({counted(count, 'row')})", "is not JupyterHub's own, but a plug-in's")
