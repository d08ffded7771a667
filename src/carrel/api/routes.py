"""THE list of REST endpoints. Each names in `opt["scopes"]` which scopes its use case asks for."""

from __future__ import annotations

from carrel.api import authorizations, groups, info, proxy, servers, shutdown, tokens, users
from carrel.http.endpoint import Endpoint

# The two that every single-user server asks come first: routes are tried in this order.
ENDPOINTS: tuple[Endpoint, ...] = (
    users.whoami,
    users.report_activity,
    info.version,
    info.info,
    info.health,
    users.list_users,
    users.create_users,
    users.get_user,
    users.create_user,
    users.change_user,
    users.delete_user,
    users.admin_access,
    servers.get_server,
    servers.start_server,
    servers.create_server,
    servers.change_server,
    servers.stop_server,
    servers.watch_server,
    tokens.list_tokens,
    tokens.make_token,
    tokens.get_token,
    tokens.revoke_token,
    groups.list_groups,
    groups.create_groups,
    groups.get_group,
    groups.create_group,
    groups.delete_group,
    groups.add_members,
    groups.remove_members,
    groups.set_properties,
    proxy.list_routes,
    proxy.repair_routes,
    proxy.move_proxy,
    authorizations.token_owner,
    authorizations.make_token,
    authorizations.cookie_owner,
    shutdown.shutdown,
)
