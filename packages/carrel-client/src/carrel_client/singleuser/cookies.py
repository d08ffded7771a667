"""The cookies of a single-user server: who is logged in, and which log-ins are under way."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from tornado.web import RequestHandler

from carrel_client.singleuser.environment import HubEnvironment
from carrel_client.singleuser.login import PENDING_SECONDS, PendingLogin

_HUB_SESSION = "jupyterhub-session-id"
_ROUNDS_SECONDS = 60
_MOST_PENDING = 8


class Cookies:
    """Reads and writes the cookies of one server; all are signed, HttpOnly and bound to the server's path."""

    def __init__(self, environment: HubEnvironment) -> None:
        self._options = dict(environment.cookie_options)
        self._host_prefix = environment.host_prefix_cookies
        name = f"__Host-{environment.client_id}" if self._host_prefix else environment.client_id
        self._login = name
        self._state = f"{name}-oauth-state"
        self._rounds = f"{name}-oauth-rounds"
        self._prefix = environment.prefix

    def token(self, handler: RequestHandler) -> str:
        """Return the access token of the browser's log-in, '' without one or when its signature is wrong."""
        value = handler.get_signed_cookie(self._login)
        return value.decode(errors="replace") if value else ""

    def has_login(self, handler: RequestHandler) -> bool:
        """Return whether the browser sent a log-in cookie, valid or not."""
        return handler.get_cookie(self._login) is not None

    def keep_login(self, handler: RequestHandler, token: str) -> None:
        """Log the browser in as the holder of `token`."""
        handler.set_signed_cookie(self._login, token, **self._attributes(handler))

    def clear_login(self, handler: RequestHandler) -> None:
        """Log the browser out of this server."""
        self._clear(handler, self._login)

    def session(self, handler: RequestHandler) -> str:
        """Return the browser's session id at the hub, '' when the hub keeps it from us."""
        return handler.get_cookie(_HUB_SESSION) or ""

    def keep_pending(self, handler: RequestHandler, login: PendingLogin) -> None:
        """Remember a log-in that begins, beside any other that is under way in another tab."""
        others = self._pending_names(handler)
        if len(others) >= _MOST_PENDING:
            # Tabs that were never logged in; too many cookies and the request line is refused.
            for other in others:
                self._clear(handler, other)
        name = f"{self._state}-{secrets.token_hex(4)}" if self._state in others else self._state
        self._keep_briefly(handler, name, login.dump(), PENDING_SECONDS)

    def take_pending(self, handler: RequestHandler, state: str) -> PendingLogin | None:
        """Return the pending log-in with this state and clear its cookie; None when the browser has none."""
        found = None
        for name, login in self._pending(handler):
            if login.matches(state):
                found = login
                self._clear(handler, name)
        return found

    def rounds(self, handler: RequestHandler) -> int:
        """Return how many log-ins this browser has finished within the last minute."""
        value = handler.get_signed_cookie(self._rounds, max_age_days=_ROUNDS_SECONDS / 86400)
        return int(value) if value and value.isdigit() else 0

    def forget_rounds(self, handler: RequestHandler) -> None:
        """Forget the log-ins that this browser has finished."""
        self._clear(handler, self._rounds)

    def keep_rounds(self, handler: RequestHandler, rounds: int) -> None:
        """Remember for a minute how many log-ins this browser has finished."""
        self._keep_briefly(handler, self._rounds, str(rounds), _ROUNDS_SECONDS)

    def _pending(self, handler: RequestHandler) -> Iterator[tuple[str, PendingLogin]]:
        for name in self._pending_names(handler):
            value = handler.get_signed_cookie(name, max_age_days=PENDING_SECONDS / 86400)
            login = PendingLogin.load(value) if value else None
            if login is not None:
                yield name, login

    def _pending_names(self, handler: RequestHandler) -> list[str]:
        return [name for name in handler.cookies if name == self._state or name.startswith(f"{self._state}-")]

    def _keep_briefly(self, handler: RequestHandler, name: str, value: str, seconds: int) -> None:
        attributes = self._attributes(handler)
        attributes.pop("expires", None)
        handler.set_signed_cookie(name, value, **{**attributes, "expires_days": None, "max_age": seconds})

    def _clear(self, handler: RequestHandler, name: str) -> None:
        if handler.get_cookie(name) is not None:
            attributes = self._attributes(handler)
            kept = {
                key: attributes[key] for key in ("path", "domain", "secure", "samesite") if key in attributes
            }
            handler.clear_cookie(name, **kept)

    def _attributes(self, handler: RequestHandler) -> dict[str, Any]:
        attributes: dict[str, Any] = {"path": self._prefix, **self._options, "httponly": True}
        if _is_https(handler):
            attributes["secure"] = True
        if self._host_prefix:
            # What browsers demand of a `__Host-` cookie.
            attributes.update(path="/", secure=True)
            attributes.pop("domain", None)
        return attributes


def _is_https(handler: RequestHandler) -> bool:
    # Through several proxies the header is a list; the browser's own protocol is its first item.
    forwarded = handler.request.headers.get("X-Forwarded-Proto", "")
    browser = forwarded.split(",")[0].strip().lower()
    return (browser or handler.request.protocol) == "https"
