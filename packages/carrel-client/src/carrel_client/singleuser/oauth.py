"""Logging in through the hub, and out again."""

from __future__ import annotations

import time
from typing import cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import RequestHandler

from carrel_client.singleuser import pages
from carrel_client.singleuser.access import may_enter
from carrel_client.singleuser.hub import HubRefused, HubUnreachable
from carrel_client.singleuser.login import PendingLogin, UsedStates, authorize_url, code_verifier, safe_next
from carrel_client.singleuser.server import HubServer

_MOST_ROUNDS = 3
_NO_STATE = (
    "This log-in was not begun in this browser, has taken longer than ten minutes, or was finished before. "
    "If it happens again, your browser refuses this site's cookies: allow them."
)


def begin_login(handler: RequestHandler, server: HubServer, next_url: str) -> None:
    """Answer the request with a redirect to the hub that comes back to `next_url` if it lies on this server.

    A browser that keeps coming back without its log-in gets an explanation instead.
    """
    environment, cookies = server.environment, server.cookies
    next_url = safe_next(next_url, environment.prefix)
    if cookies.rounds(handler) >= _MOST_ROUNDS:
        cookies.forget_rounds(handler)
        pages.login_goes_round(next_url).send(handler)
        return
    login = PendingLogin.begin(next_url)
    cookies.keep_pending(handler, login)
    verifier = code_verifier(login.state, _secret(handler))
    handler.redirect(authorize_url(environment, login.state, verifier))


class _HubHandler(JupyterHandler):
    @property
    def server(self) -> HubServer:
        return cast(HubServer, self.serverapp)


class LoginHandler(_HubHandler):
    """`login`: to the hub, or straight on for a visitor who is logged in."""

    @allow_unauthenticated
    def get(self) -> None:
        next_url = self.get_query_argument("next", "")
        if self.current_user:
            self.redirect(safe_next(next_url, self.server.environment.prefix))
        else:
            begin_login(self, self.server, next_url)


class LogoutHandler(_HubHandler):
    """`logout`: out of this server, then out of the hub."""

    @allow_unauthenticated
    def get(self) -> None:
        cookies = self.server.cookies
        self.server.visitors.forget(cookies.token(self), cookies.session(self))
        cookies.clear_login(self)
        cookies.forget_rounds(self)
        self.redirect(f"{self.server.environment.hub_url}logout")


class CallbackHandler(_HubHandler):
    """`oauth_callback`: the hub sends the browser back here with a code."""

    @allow_unauthenticated
    async def get(self) -> None:
        again = self.server.environment.prefix
        pending = self.server.cookies.take_pending(self, self.get_query_argument("state", ""))
        if pending is None or not _used_states(self).use(pending.state, time.monotonic()):
            pages.login_failed(_NO_STATE, again).send(self)
            return
        error = self.get_query_argument("error", "")
        code = self.get_query_argument("code", "")
        if error or not code:
            reason = self.get_query_argument("error_description", "") or error or "the hub sent no code"
            pages.login_failed(f"The hub says: {reason}", again).send(self)
            return
        try:
            await self._finish_login(pending, code)
        except HubRefused as problem:
            self.log.error("Log-in failed: %s", problem)
            pages.login_failed(f"Reason: {problem}.", again, status=500).send(self)
        except HubUnreachable as problem:
            self.log.error("Log-in failed: %s", problem)
            pages.hub_away(again).send(self)

    async def _finish_login(self, pending: PendingLogin, code: str) -> None:
        server = self.server
        token = await server.hub.exchange(code, code_verifier(pending.state, _secret(self)))
        visitor = await server.visitors.identify(token, server.cookies.session(self))
        if visitor is None:
            raise HubRefused("the hub does not know the token that it has just given")
        if not may_enter(visitor.scopes, server.environment.access_scopes):
            environment = server.environment
            pages.no_access(visitor.name, environment.user, environment.hub_url).send(self)
            return
        self.log.info("%s logged in", visitor.name)
        server.cookies.keep_login(self, token)
        server.cookies.keep_rounds(self, server.cookies.rounds(self) + 1)
        self.redirect(pending.next_url)


def _secret(handler: RequestHandler) -> bytes:
    return cast(bytes, handler.settings["cookie_secret"])


def _used_states(handler: RequestHandler) -> UsedStates:
    return cast(UsedStates, handler.settings.setdefault("carrel_used_states", UsedStates()))
