"""The cookies of a log-in. The log-in cookie carries the session's secret and a signature over it.

The signature lets garbage be refused without asking the database; the session is a row that can be ended.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from starlette.responses import Response

from carrel.config.schema import Settings
from carrel.config.tornado import cookie_options
from carrel.core.login import LoggedIn
from carrel.http.cookies import NewCookie, give, prefixed
from carrel.http.request import Connection, cookies, hub_of
from carrel.lib.ids import same

LOGIN_COOKIE = "jupyterhub-hub-login"
SESSION_ID_COOKIE = "jupyterhub-session-id"


def derive_key(cookie_secret: bytes, purpose: str) -> bytes:
    """Return a key for one purpose, so that what is signed for one is worthless for another."""
    return hmac.digest(cookie_secret, b"carrel " + purpose.encode(), "sha256")


def sign(secret: str, cookie_secret: bytes) -> str:
    """Return the log-in cookie's value for a session's secret."""
    return f"{secret}.{_signature(secret, cookie_secret)}"


def unsign(value: str, cookie_secret: bytes) -> str | None:
    """Return the secret inside a log-in cookie's value, or None when we did not sign it."""
    secret, _, signature = value.rpartition(".")
    if secret and value.isascii() and same(signature, _signature(secret, cookie_secret)):
        return secret
    return None


def login_secret(connection: Connection) -> str | None:
    """Return the secret of the browser's session, or None without a log-in cookie that we signed."""
    cookie_secret = hub_of(connection).settings.cookie_secret
    for value in cookies(connection, login_cookie(hub_of(connection).settings)):
        secret = unsign(value, cookie_secret)
        if secret is not None:
            return secret
    return None


def set_session(response: Response, connection: Connection, login: LoggedIn) -> None:
    """Give the browser a session's cookies, which end when the session does."""
    hub = hub_of(connection)
    base_url = hub.settings.base_url
    max_age = max(0, int(login.expires - hub.clock.now()))
    value = sign(login.secret, hub.settings.cookie_secret)
    _set(response, connection, login_cookie(hub.settings), value, f"{base_url}hub/", max_age)
    _set_id(response, connection, login.session_id, max_age)


def clear_session(response: Response, connection: Connection) -> None:
    """Take the session's cookies from the browser; ending the session itself is `core.login.log_out`."""
    settings = hub_of(connection).settings
    _set(response, connection, login_cookie(settings), "", f"{settings.base_url}hub/", 0)
    _set_id(response, connection, "", 0)


def login_cookie(settings: Settings) -> str:
    """Return the name of the cookie that carries a log-in."""
    return prefixed(settings, LOGIN_COOKIE)


def _set_id(response: Response, connection: Connection, session_id: str, max_age: int) -> None:
    """Set the cookie by which servers know a session, on every host that they may be on."""
    hub = hub_of(connection)
    options = cookie_options(hub.settings)
    options = replace(options, domain=hub.hosts.domain or options.domain)
    give(
        response,
        connection,
        NewCookie(SESSION_ID_COOKIE, session_id, hub.settings.base_url, max_age),
        options,
    )


def _set(response: Response, connection: Connection, key: str, value: str, path: str, max_age: int) -> None:
    options = cookie_options(hub_of(connection).settings)
    give(response, connection, NewCookie(key, value, path, max_age), options)


def _signature(secret: str, cookie_secret: bytes) -> str:
    return hmac.digest(derive_key(cookie_secret, "log-in cookie"), secret.encode(), "sha256").hex()
