"""The cookies of a server or service: who is logged in, and which log-ins are under way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Any

from itsdangerous import BadSignature, TimestampSigner

from carrel_client.auth.environment import HubSettings
from carrel_client.auth.exchange import XSRF_NAME, Cookie, Request
from carrel_client.auth.login import PENDING_SECONDS, PendingLogin

_HUB_SESSION = "jupyterhub-session-id"
_LOGIN_SECONDS = 30 * 86400
_ROUNDS_SECONDS = 60
_MOST_PENDING = 8


class Cookies:
    """Reads and makes the cookies of one server or service; all are signed and bound to its path."""

    def __init__(self, settings: HubSettings, secret: bytes) -> None:
        self._options = dict(settings.cookie_options)
        self._host_prefix = settings.host_prefix_cookies
        name = f"__Host-{settings.client_id}" if self._host_prefix else settings.client_id
        self._login = name
        self._state = f"{name}-oauth-state"
        self._rounds = f"{name}-oauth-rounds"
        self._prefix = settings.prefix
        self._secret = secret

    def token(self, request: Request) -> str:
        """Return the access token of the browser's log-in, '' without one or when its signature is wrong."""
        return self._read(request, self._login, self._lifetime())

    def login(self, request: Request, token: str) -> Cookie:
        """Return the cookie that logs the browser in as the holder of `token`."""
        return self._signed(request, self._login, token, self._lifetime(), self._options.get("expires"))

    def logged_out(self, request: Request) -> list[Cookie]:
        """Return what logs the browser out here."""
        return self._cleared(request, self._login)

    def session(self, request: Request) -> str:
        """Return the browser's session id at the hub, '' when the hub keeps it from us."""
        return request.cookies.get(_HUB_SESSION, "")

    def xsrf_token(self, token: str) -> str:
        """Return what forms and scripts of a browser logged in with `token` send along; '' without one."""
        return _digest(self._secret, f"xsrf {token}") if token else ""

    def has_xsrf(self, request: Request, token: str) -> bool:
        """Return whether a request logged in with `token` brought its XSRF token; takes constant time."""
        sent = request.headers.get("x-xsrftoken") or request.argument(XSRF_NAME) or request.form_xsrf
        wanted = self.xsrf_token(token)
        return bool(wanted) and hmac.compare_digest(sent.encode(), wanted.encode())

    def xsrf(self, request: Request, token: str) -> list[Cookie]:
        """Return the cookie that tells the pages' scripts their XSRF token, unless the browser has it."""
        value = self.xsrf_token(token)
        if request.cookies.get(XSRF_NAME) == value:
            return []
        return [self._plain(request, XSRF_NAME, value, None, httponly=False)]

    def pending(self, request: Request, login: PendingLogin) -> list[Cookie]:
        """Return what remembers a log-in that begins, beside any other that is under way in another tab."""
        others = self._pending_names(request)
        # Tabs that were never logged in; too many cookies and the request line is refused.
        cleared = [self._clear(request, other) for other in others] if len(others) >= _MOST_PENDING else []
        name = f"{self._state}-{secrets.token_hex(4)}" if self._state in others else self._state
        return [*cleared, self._signed(request, name, login.dump(), PENDING_SECONDS)]

    def take_pending(self, request: Request, state: str) -> tuple[PendingLogin | None, list[Cookie]]:
        """Return the browser's log-in with this state, None when it has none, and what clears its cookie."""
        found, cleared = None, []
        for name, login in self._pending(request):
            if login.matches(state):
                found = login
                cleared.append(self._clear(request, name))
        return found, cleared

    def rounds(self, request: Request) -> int:
        """Return how many log-ins this browser has finished within the last minute."""
        value = self._read(request, self._rounds, _ROUNDS_SECONDS)
        return int(value) if value.isdigit() else 0

    def no_rounds(self, request: Request) -> list[Cookie]:
        """Return what forgets the log-ins that this browser has finished."""
        return self._cleared(request, self._rounds)

    def next_round(self, request: Request) -> Cookie:
        """Return what counts one more finished log-in, for a minute."""
        return self._signed(request, self._rounds, str(self.rounds(request) + 1), _ROUNDS_SECONDS)

    def verifier(self, state: str) -> str:
        """Return the PKCE verifier that belongs to `state`: derived, so that nothing need be stored."""
        return _digest(self._secret, f"pkce {state}")

    def _pending(self, request: Request) -> Iterator[tuple[str, PendingLogin]]:
        for name in self._pending_names(request):
            value = self._read(request, name, PENDING_SECONDS)
            login = PendingLogin.load(value) if value else None
            if login is not None:
                yield name, login

    def _pending_names(self, request: Request) -> list[str]:
        return [name for name in request.cookies if name == self._state or name.startswith(f"{self._state}-")]

    def _lifetime(self) -> int:
        options: dict[str, Any] = self._options
        if "max_age" in options:
            return int(options["max_age"])
        return int(options["expires_days"] * 86400) if "expires_days" in options else _LOGIN_SECONDS

    def _signer(self, name: str) -> TimestampSigner:
        # The name is part of the key: no cookie can be passed off as another.
        return TimestampSigner(self._secret, salt=f"carrel {name}", digest_method=hashlib.sha256)

    def _read(self, request: Request, name: str, seconds: int) -> str:
        text = request.cookies.get(name, "")
        try:
            return _decode(self._signer(name).unsign(text, max_age=seconds))
        except (BadSignature, ValueError):
            return ""

    def _signed(
        self, request: Request, name: str, value: str, seconds: int, expires: Any | None = None
    ) -> Cookie:
        encoded = base64.urlsafe_b64encode(value.encode())
        signed = self._signer(name).sign(encoded).decode()
        return self._plain(request, name, signed, seconds, expires=expires)

    def _cleared(self, request: Request, name: str) -> list[Cookie]:
        return [self._clear(request, name)] if name in request.cookies else []

    def _clear(self, request: Request, name: str) -> Cookie:
        return self._plain(request, name, "", None).cleared()

    def _plain(
        self,
        request: Request,
        name: str,
        value: str,
        seconds: int | None,
        *,
        expires: Any | None = None,
        httponly: bool = True,
    ) -> Cookie:
        options: dict[str, Any] = self._options
        # What browsers demand of a `__Host-` cookie.
        host = self._host_prefix and name.startswith("__Host-")
        return Cookie(
            name=name,
            value=value,
            path="/" if host else str(options.get("path", self._prefix)),
            domain=None if host else options.get("domain"),
            max_age=seconds,
            expires=expires,
            secure=host or request.is_https or bool(options.get("secure")),
            httponly=httponly,
            samesite=options.get("samesite"),
        )


def _digest(secret: bytes, text: str) -> str:
    octets = hmac.digest(secret, text.encode(), "sha256")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decode(signed: bytes) -> str:
    return base64.urlsafe_b64decode(signed).decode()
