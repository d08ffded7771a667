"""Links that lead everybody to the same page of their own server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import find_server
from carrel.domain.errors import Unavailable
from carrel.domain.names import server_prefix
from carrel.http.endpoint import route
from carrel.http.request import RequestFacts, facts_of, header
from carrel.lib.awaiting import resolve_within
from carrel.lib.urls import with_arguments
from carrel.spawners.views import GroupView, UserView
from carrel.web.visits import go, spawn_url

#: How long the deployer's hook may take, in seconds.
_HOOK_LIMIT = 10.0
_log = logging.getLogger("carrel.web")


@dataclass(frozen=True, slots=True)
class Visit:
    """The request, with the attributes of JupyterHub's that hooks read."""

    method: str
    uri: str
    path: str
    query: str
    host: str
    protocol: str
    remote_ip: str
    query_arguments: Mapping[str, list[bytes]]

    @property
    def arguments(self) -> Mapping[str, list[bytes]]:
        """Return the arguments of the address; there are no others."""
        return self.query_arguments


@route(["GET"], "/hub/user-redirect", "/hub/user-redirect/{rest:path}")
async def user_redirect(hub: HubContext, caller: Caller, request: Request) -> Response:
    """Lead to a page of the visitor's own server, starting it first when needed, or where the hook says."""
    facts = facts_of(request.scope)
    elsewhere = await _ask_hook(hub, caller, facts, request)
    if elsewhere:
        return go(elsewhere)
    settings = hub.settings
    server_name = settings.default_server_name if settings.allow_named_servers else ""
    rest = facts.url.removeprefix(f"{settings.base_url}hub/user-redirect").lstrip("/")
    aim = server_prefix(settings.base_url, caller.user.name, server_name) + rest
    server = await find_server(hub, caller.user.name, server_name)
    if server is not None and server.ready:
        return go(aim)
    return go(with_arguments(spawn_url(hub, caller.user.name, server_name), next=aim))


async def _ask_hook(hub: HubContext, caller: Caller, facts: RequestFacts, request: Request) -> str:
    """Return where `user_redirect_hook` sends this visitor; empty when there is none or it does not care."""
    hook = hub.settings.user_redirect_hook
    if hook is None:
        return ""
    user = UserView(
        id=caller.user.id,
        name=caller.user.name,
        base_url=hub.settings.base_url,
        admin=caller.user.admin,
        groups=tuple(map(GroupView, caller.groups)),
    )
    path = request.path_params.get("rest", "")
    try:
        answer = hook(path, _visit(facts, header(request, "host")), user, hub.settings.base_url)
        return str(await resolve_within(answer, _HOOK_LIMIT) or "")
    except Exception as error:
        _log.exception("user_redirect_hook failed for %s", caller.user.name)
        raise Unavailable(
            "The hub cannot tell where this link leads: JupyterHub.user_redirect_hook."
        ) from error


def _visit(facts: RequestFacts, host: str) -> Visit:
    arguments: dict[str, list[bytes]] = {}
    for key, value in parse_qsl(facts.query, keep_blank_values=True):
        arguments.setdefault(key, []).append(value.encode())
    return Visit(
        method=facts.method,
        uri=facts.url,
        path=facts.raw_path,
        query=facts.query,
        host=host,
        protocol=facts.scheme,
        remote_ip=facts.client,
        query_arguments=arguments,
    )
