"""Who may come in to a service, and what becomes of everybody else."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from carrel_client.auth import pages
from carrel_client.auth.access import may_enter
from carrel_client.auth.cookies import Cookies
from carrel_client.auth.environment import HubSettings, read_settings
from carrel_client.auth.exchange import Answer, Cookie, Request, redirect, refusal
from carrel_client.auth.flow import Logins
from carrel_client.auth.hub import HubClient, HubRefused, HubUnreachable, Visitor
from carrel_client.auth.login import UsedStates, safe_next
from carrel_client.auth.visitors import Visitors

_log = logging.getLogger("carrel_client.auth")
_LOG_IN = "Log in first: this needs a token or a log-in through the hub."


@dataclass(frozen=True, slots=True)
class Admitted:
    """A visitor who may come in; `cookies` go with whatever the service answers."""

    visitor: Visitor
    xsrf_token: str = ""
    """For the service's own forms and scripts; '' for a visitor with a token, who needs none."""
    cookies: tuple[Cookie, ...] = ()


class HubAuth:
    """Lets people in to a service whom the hub lets in. Knows no web framework: see the adapters.

    `cookie_secret` signs the log-in cookies; by itself it follows from the service's API token, so that
    several processes of one service know each other's log-ins. The hub's answers are kept for five minutes,
    by the token's digest.
    """

    def __init__(
        self,
        settings: HubSettings,
        *,
        cookie_secret: bytes | None = None,
        hub: HubClient | None = None,
        now: Callable[[], float] = time.monotonic,
        log: logging.Logger = _log,
    ) -> None:
        self.settings = settings
        self._given_secret = cookie_secret
        self._now = now
        self._log = log
        self._hub = hub or HubClient(settings)
        self._visitors = Visitors(self._hub.visitor, now, log)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> HubAuth:
        """Return the hub auth of the service that this process is. Raises EnvironmentProblem."""
        return cls(read_settings(variables))

    @property
    def login_path(self) -> str:
        """Return the page that leads to the hub's log-in and back to its argument `next`."""
        return f"{self.settings.prefix}login"

    @property
    def logout_path(self) -> str:
        """Return the page that logs out here and at the hub."""
        return f"{self.settings.prefix}logout"

    async def visitor(self, token: str) -> Visitor | None:
        """Return who holds `token`, None when the hub does not know it. Raises HubUnreachable, HubRefused."""
        return await self._visitors.identify(token) if token else None

    async def admit(self, request: Request, scopes: Collection[str] | None = None) -> Admitted | Answer:
        """Return the visitor behind a request, or the answer that it gets instead.

        `scopes` are those of which one is enough, by default the service's own access scopes. Without a
        log-in a page leads to the hub's, anything else is refused with 403; a hub that is away gives 502.
        """
        found = await self.identify(request)
        asked = self.settings.access_scopes if scopes is None else scopes
        if isinstance(found, Admitted) and not may_enter(found.visitor.scopes, asked):
            return self._refused(request, found.visitor)
        return found

    async def identify(self, request: Request) -> Admitted | Answer:
        """Return the visitor behind a request, whatever they may do here, or the answer for a stranger."""
        try:
            return await self._identify(request)
        except (HubUnreachable, HubRefused) as problem:
            self._log.error("Cannot identify a visitor: %s", problem)
            return self._told(request, pages.hub_away(safe_next(request.uri, self.settings.prefix)))

    async def page(self, request: Request) -> Answer | None:
        """Return the answer of one of the log-in's own pages, None when the request is for another."""
        path = unquote(request.path)
        if request.websocket or request.method != "GET":
            return None
        if path == unquote(self.settings.callback_path):
            return await self._logins.finish(request)
        if path == unquote(self.logout_path):
            return self._logins.leave(request)
        if path == unquote(self.login_path):
            return await self._log_in(request)
        return None

    async def _identify(self, request: Request) -> Admitted | Answer:
        explicit = request.authorization
        if explicit is None:
            explicit = self._url_token(request)
        if explicit is not None:
            visitor = await self.visitor(explicit)
            if visitor is None:
                return refusal(403, "The hub does not know this token.")
            return Admitted(visitor)
        token = self._cookie_token(request)
        if token and not self._cookie_counts(request, token):
            return refusal(403, "The XSRF token is missing or wrong: send the _xsrf cookie as X-XSRFToken.")
        visitor = await self._visitors.identify(token, self.cookies.session(request)) if token else None
        if visitor is None:
            return self._stranger(request)
        cookies = [] if request.websocket else self.cookies.xsrf(request, token)
        return Admitted(visitor, self.cookies.xsrf_token(token), tuple(cookies))

    def _url_token(self, request: Request) -> str | None:
        allowed = request.websocket or self.settings.allow_token_in_url
        return request.argument("token") or None if allowed else None

    def _cookie_token(self, request: Request) -> str:
        if request.websocket and not (self.settings.websocket_cookie_auth and _is_own_origin(request)):
            return ""
        return self.cookies.token(request)

    def _cookie_counts(self, request: Request, token: str) -> bool:
        """Tell whether the browser's user meant this request, as far as it can be told.

        Other users' servers share our origin where the hub has no subdomains: what scripts read, and what
        changes anything, needs a secret that they cannot read.
        """
        by_script = request.headers.get("sec-fetch-mode") in {"cors", "same-origin"}
        needs_token = not request.websocket and (by_script or not request.is_safe)
        return not needs_token or self.cookies.has_xsrf(request, token)

    def _stranger(self, request: Request) -> Answer:
        answer = self._logins.begin(request, request.uri) if request.is_page else refusal(403, _LOG_IN)
        if request.websocket:
            return answer
        return answer.with_cookies(*self.cookies.logged_out(request))

    def _refused(self, request: Request, visitor: Visitor) -> Answer:
        self._log.warning("%s has no access to this service", visitor.name)
        return self._told(request, self._no_access(visitor))

    async def _log_in(self, request: Request) -> Answer:
        next_url = safe_next(request.argument("next"), self.settings.prefix)
        if urlsplit(next_url).path == self.login_path:
            next_url = self.settings.prefix
        token = self.cookies.token(request)
        try:
            known = await self._visitors.identify(token, self.cookies.session(request)) if token else None
        except (HubUnreachable, HubRefused) as problem:
            self._log.error("Cannot identify a visitor: %s", problem)
            return pages.hub_away(next_url).answer()
        return redirect(next_url) if known else self._logins.begin(request, next_url)

    def _no_access(self, visitor: Visitor) -> pages.Page:
        service = self.settings.client_id.removeprefix("service-")
        return pages.no_service_access(visitor.name, service, self.settings.hub_url)

    @staticmethod
    def _told(request: Request, page: pages.Page) -> Answer:
        return page.answer() if request.is_page else refusal(page.status, f"{page.title}. {page.text}")

    @functools.cached_property
    def cookies(self) -> Cookies:
        """Return what reads and makes this service's cookies."""
        return Cookies(self.settings, self._given_secret or _derived_secret(self.settings))

    @functools.cached_property
    def _logins(self) -> Logins:
        return Logins(
            settings=self.settings,
            hub=self._hub,
            visitors=self._visitors,
            cookies=self.cookies,
            refuse=self._no_access,
            now=self._now,
            log=self._log,
            used=UsedStates(),
        )


def _derived_secret(settings: HubSettings) -> bytes:
    # Slow on purpose: everybody who logs in holds something signed, and could try out weak tokens on it.
    salt = f"carrel cookies {settings.client_id}".encode()
    return hashlib.scrypt(settings.api_token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def _is_own_origin(request: Request) -> bool:
    """Tell whether a websocket was opened by a page of our host, or by a program, which names no origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    host = urlsplit(origin).netloc.lower()
    return bool(host) and host == request.headers.get("host", "").lower()
