"""THE list of pages, relative to the base URL."""

from __future__ import annotations

from carrel.http.endpoint import Endpoint
from carrel.web import home, login, logout, metrics, pending, proxy_errors, spawn, static_files, user_urls


def web_routes() -> list[Endpoint]:
    """Return the handlers of all pages, to be mounted at the base URL."""
    return [
        home.root,
        home.home,
        home.stop,
        home.health,
        metrics.metrics,
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
        static_files.static_file,
        static_files.logo,
    ]
