"""THE list of REST endpoints. Each names in `opt["scopes"]` which scopes its use case asks for."""

from __future__ import annotations

from carrel.api import info, proxy, servers, tokens, users
from carrel.http.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    info.version,
    info.info,
    info.health,
    users.whoami,
    users.list_users,
    users.create_users,
    users.get_user,
    users.create_user,
    users.change_user,
    users.delete_user,
    users.report_activity,
    servers.get_server,
    servers.start_server,
    servers.stop_server,
    servers.watch_server,
    tokens.list_tokens,
    tokens.make_token,
    tokens.get_token,
    tokens.revoke_token,
    proxy.list_routes,
    proxy.repair_routes,
)
