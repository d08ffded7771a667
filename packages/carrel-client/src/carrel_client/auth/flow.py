"""Logging in through the hub, and out again: what each of the three pages answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from carrel_client.auth import pages
from carrel_client.auth.access import may_enter
from carrel_client.auth.cookies import Cookies
from carrel_client.auth.environment import HubSettings
from carrel_client.auth.exchange import Answer, Request, redirect
from carrel_client.auth.hub import HubClient, HubRefused, HubUnreachable, Log, Visitor
from carrel_client.auth.login import PendingLogin, UsedStates, authorize_url, safe_next
from carrel_client.auth.visitors import Visitors

_MOST_ROUNDS = 3
_NO_STATE = (
    "This log-in was not begun in this browser, has taken longer than ten minutes, or was finished before. "
    "If it happens again, your browser refuses this site's cookies: allow them."
)


@dataclass(frozen=True, slots=True)
class Logins:
    """The log-ins of one server or service."""

    settings: HubSettings
    hub: HubClient
    visitors: Visitors
    cookies: Cookies
    refuse: Callable[[Visitor], pages.Page]
    """Says to someone without access that this is so."""
    now: Callable[[], float]
    """Seconds, monotonic."""
    log: Log
    used: UsedStates

    def begin(self, request: Request, next_url: str) -> Answer:
        """Return a redirect to the hub that comes back to `next_url` if it lies below our prefix.

        A browser that keeps coming back without its log-in gets an explanation instead.
        """
        next_url = safe_next(next_url, self.settings.prefix)
        if self.cookies.rounds(request) >= _MOST_ROUNDS:
            page = pages.login_goes_round(next_url).answer()
            return page.with_cookies(*self.cookies.no_rounds(request))
        login = PendingLogin.begin(next_url)
        url = authorize_url(self.settings, login.state, self.cookies.verifier(login.state))
        return redirect(url, *self.cookies.pending(request, login))

    async def finish(self, request: Request) -> Answer:
        """Return the answer to a browser that the hub sent back, with a code or without."""
        again = self.settings.prefix
        pending, cleared = self.cookies.take_pending(request, request.argument("state"))
        if pending is None or not self.used.use(pending.state, self.now()):
            return pages.login_failed(_NO_STATE, again).answer()
        error, code = request.argument("error"), request.argument("code")
        if error or not code:
            reason = request.argument("error_description") or error or "the hub sent no code"
            answer = pages.login_failed(f"The hub says: {reason}", again).answer()
        else:
            answer = await self._finish(request, pending, code)
        return answer.with_cookies(*cleared)

    def leave(self, request: Request) -> Answer:
        """Return the answer that logs a browser out here and sends it to the hub's log-out."""
        cookies = self.cookies
        self.visitors.forget(cookies.token(request), cookies.session(request))
        return redirect(
            f"{self.settings.hub_url}logout", *cookies.logged_out(request), *cookies.no_rounds(request)
        )

    async def _finish(self, request: Request, pending: PendingLogin, code: str) -> Answer:
        again = self.settings.prefix
        try:
            token = await self.hub.exchange(code, self.cookies.verifier(pending.state))
            visitor = await self.visitors.identify(token, self.cookies.session(request))
            if visitor is None:
                raise HubRefused("the hub does not know the token that it has just given")
        except HubRefused as problem:
            self.log.error("Log-in failed: %s", problem)
            return pages.login_failed(f"Reason: {problem}.", again, status=500).answer()
        except HubUnreachable as problem:
            self.log.error("Log-in failed: %s", problem)
            return pages.hub_away(again).answer()
        if not may_enter(visitor.scopes, self.settings.access_scopes):
            return self.refuse(visitor).answer()
        self.log.info("%s logged in", visitor.name)
        cookies = (self.cookies.login(request, token), self.cookies.next_round(request))
        return redirect(pending.next_url, *cookies)
