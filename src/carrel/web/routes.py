"""THE list of pages, relative to the base URL."""

from __future__ import annotations

from carrel.http.endpoint import Endpoint
from carrel.web import (
    groups,
    home,
    login,
    logout,
    pending,
    proxy_errors,
    servers,
    shares,
    spawn,
    static_files,
    tokens,
    user_page,
    user_redirect,
    user_urls,
    users,
)


def web_routes() -> list[Endpoint]:
    """Return the handlers of all pages, to be mounted at the base URL."""
    return [
        home.root,
        home.home,
        home.send_home,
        home.health,
        metrics.metrics,
        servers.stop,
        servers.show_removal,
        servers.send_removal,
        tokens.show_tokens,
        tokens.send_tokens,
        users.show_users,
        users.send_users,
        users.show_add,
        users.send_add,
        user_page.show_user,
        user_page.send_user,
        user_page.show_removal,
        user_page.send_removal,
        groups.show_groups,
        groups.send_groups,
        groups.show_group,
        groups.send_group,
        groups.show_removal,
        groups.send_removal,
        login.show_login,
        login.send_login,
        logout.visit_logout,
        logout.send_logout,
        spawn.visit_spawn,
        spawn.send_spawn,
        pending.spawn_pending,
        user_urls.public_url,
        user_urls.hub_url,
        shares.show_invitation,
        shares.accept_invitation,
        user_redirect.user_redirect,
        proxy_errors.proxy_error,
        static_files.static_file,
        static_files.logo,
    ]
