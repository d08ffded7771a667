"""Cookies of handlers: the hub's own, made where it makes them, and those of plug-ins, signed apart."""

from __future__ import annotations

from functools import partial
from typing import Any

from tornado.web import HTTPError

from carrel.authenticators.policy import Refusal
from carrel.compat.handlers.settings import SettingsMixin
from carrel.config.tornado import cookie_options
from carrel.core.login import LoggedIn, admit, begin_session, log_out
from carrel.domain.errors import Forbidden
from carrel.domain.identity import Identity
from carrel.http.csrf import XSRF_COOKIE, StaleForm, check_field, set_xsrf, xsrf_token
from carrel.http.sessions import SESSION_ID_COOKIE, clear_session, set_session


class StaleRequest(HTTPError):
    """A form's token is of another session; the page has a fresh one."""


class CookiesMixin(SettingsMixin):
    """Log-in cookies, the XSRF token, and what plug-ins put into cookies of their own."""

    _login: LoggedIn | None = None
    """The session that this request has opened."""
    _signed_in: str = ""
    """Who is signed in by the answer to this request."""

    # -- the log-in ----------------------------------------------------------------------------------------

    def set_login_cookie(self, user: Any) -> None:
        """Sign `user` in with this browser; whoever was before is signed out. May be repeated."""
        self.set_hub_cookie(user)

    def set_hub_cookie(self, user: Any) -> None:
        """Give the browser the log-in cookies of `user`; may be repeated."""
        if self._signed_in == user.name:
            return
        self._signed_in = user.name
        self._end_session()
        self._before_reply(partial(self._sign_in, user))

    async def _sign_in(self, user: Any) -> None:
        login = self._login
        if login is None or login.user.name != user.name:
            login = await self._session_of(user)
        self._login = login
        set_session(self._reply.own, self._visit, login)

    async def _session_of(self, user: Any) -> LoggedIn:
        """Return a new session of a user; one who does not exist yet is made. Raises Forbidden."""
        if user.record is not None:
            return await begin_session(self._ctx, user.record)
        outcome = await admit(self._ctx, Identity(user.name))
        if isinstance(outcome, Refusal):
            raise Forbidden(outcome.reason_for_page)
        return outcome

    def clear_login_cookie(self, name: str | None = None) -> None:
        """Sign out: the session ends, with all that was given within it. May be repeated."""
        self._signed_in = ""
        self._end_session()
        clear_session(self._reply.own, self._visit)

    def _end_session(self) -> None:
        caller = self._facts.caller
        if caller is not None and caller.session_hash is not None:
            self._before_reply(partial(log_out, self._ctx, caller))
            self._facts.caller = None

    def get_session_cookie(self) -> str | None:
        """Return the id of the browser's session."""
        return self.get_cookie(SESSION_ID_COOKIE)

    # -- the XSRF token ------------------------------------------------------------------------------------

    @property
    def xsrf_token(self) -> bytes:
        """The token for forms and scripts of this browser, which is given its cookie, too."""
        token = xsrf_token(self._visit)
        set_xsrf(self._reply.own, self._visit, token)
        return token.encode()

    def check_xsrf_cookie(self) -> None:
        """Return when one of the hub's own pages sent this; raise HTTPError (403) otherwise.

        Tornado calls it before anything is known of who asks. Plug-ins override it for what comes from afar.
        """
        try:
            check_field(self._visit, self.get_argument(XSRF_COOKIE, None))
        except StaleForm as error:
            raise StaleRequest(403, str(error)) from None
        except Forbidden as error:
            raise HTTPError(403, str(error)) from None

    # -- plug-ins' own -------------------------------------------------------------------------------------

    def _set_cookie(self, key: str, value: Any, encrypted: bool = True, **overrides: Any) -> None:
        """Set a cookie for the whole host, signed unless told otherwise, that scripts cannot read."""
        options: dict[str, Any] = {"httponly": True}
        if self.request.protocol == "https" or self._ctx.hosts.origin.startswith("https:"):
            options["secure"] = True
        wanted = cookie_options(self._ctx.settings)
        if self._ctx.settings.tornado_settings.get("cookie_options"):
            options["samesite"] = wanted.same_site
        if wanted.secure is not None:
            options["secure"] = wanted.secure
        options |= overrides
        if encrypted:
            self.set_signed_cookie(key, value, **options)
        else:
            self.set_cookie(key, value, **options)
