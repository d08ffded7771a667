"""THE list of pages, relative to the base URL."""

from __future__ import annotations

from carrel.http.endpoint import Endpoint
from carrel.web import home, login, logout, pending, proxy_errors, security, spawn, static_files, user_urls


def web_routes() -> list[Endpoint]:
    """Return the handlers of all pages, to be mounted at the base URL."""
    return [
        home.root,
        home.home,
        home.stop,
        home.health,
        login.show_login,
        login.send_login,
        logout.visit_logout,
        logout.send_logout,
        spawn.visit_spawn,
        spawn.send_spawn,
        pending.spawn_pending,
        user_urls.public_url,
        user_urls.hub_url,
        user_urls.user_redirect,
        proxy_errors.proxy_error,
        security.report_violation,
        static_files.static_file,
        static_files.logo,
    ]
