"""Where a visitor goes next, and what every page does alike."""

from __future__ import annotations

from starlette.responses import RedirectResponse

from carrel.core.context import HubContext
from carrel.core.servers import server_path
from carrel.domain.names import escape
from carrel.domain.servers import Server


def go(url: str) -> RedirectResponse:
    """Return a redirect that no browser keeps and that turns a form into a visit."""
    return RedirectResponse(url, status_code=302, headers={"Cache-Control": "no-store"})


def pending_url(hub: HubContext, server: Server) -> str:
    """Return the page that shows a server's start."""
    return f"{hub.settings.base_url}hub/spawn-pending/{_segments(server.user_name, server.name)}"


def spawn_url(hub: HubContext, user_name: str, server_name: str = "") -> str:
    """Return the page that starts a user's server."""
    return f"{hub.settings.base_url}hub/spawn/{_segments(user_name, server_name)}"


def stop_url(hub: HubContext, user_name: str, server_name: str = "") -> str:
    """Return where the form is sent that stops a user's server."""
    return f"{hub.settings.base_url}hub/stop/{_segments(user_name, server_name)}"


def removal_url(hub: HubContext, user_name: str, server_name: str) -> str:
    """Return the page that asks whether a named server is really to go."""
    return f"{hub.settings.base_url}hub/remove/{_segments(user_name, server_name)}"


def _segments(user_name: str, server_name: str) -> str:
    return f"{escape(user_name)}/{escape(server_name)}" if server_name else escape(user_name)


def destination(hub: HubContext, server: Server, wanted: str) -> str:
    """Return where to go once a server is ready."""
    host = hub.hosts.of_user(server.user_name)
    path = server_path(hub, server)
    # Elsewhere than below the server's own path it may be another one's.
    return f"{host if not wanted or wanted.startswith(path) else ''}{wanted or path}"
