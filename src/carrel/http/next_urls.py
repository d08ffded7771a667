"""Where a visitor goes after the log-in: the one place that judges `next`."""

from __future__ import annotations

from urllib.parse import urlsplit

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.http.request import Connection, facts_of, header
from carrel.lib.urls import first_argument, safe_next


def wanted_next(hub: HubContext, connection: Connection, field: object = None) -> str:
    """Return where the visitor asked to go, by the form's field or the address; empty when nowhere safe."""
    query = facts_of(connection.scope).query
    asked = field if isinstance(field, str) and field else first_argument(query, "next")
    hosts = hub.hosts
    domain = urlsplit(hosts.origin).netloc if hosts.subdomains else ""
    return safe_next(asked, header(connection, "host"), hosts.base_url, domain) or ""


def default_page(hub: HubContext, caller: Caller | None) -> str:
    """Return where a visit without an aim leads: the deployer's page, the user's server, or home."""
    settings = hub.settings
    chosen = settings.default_url
    if callable(chosen):
        chosen = chosen(caller.user if caller else None)
    if chosen:
        return str(chosen)
    return f"{settings.base_url}hub/{'spawn' if settings.redirect_to_server else 'home'}"
