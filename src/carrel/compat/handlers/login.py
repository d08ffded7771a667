"""`LoginHandler` and `LogoutHandler`: the hub's log-in and log-out pages, for plug-ins to change."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError

from carrel.compat.handlers.base import BaseHandler
from carrel.core.servers import stop_own_servers
from carrel.http.csrf import is_foreign
from carrel.http.login_form import begins_elsewhere, form_data, form_values, is_in_request
from carrel.lib.awaiting import resolve

_WRONG = "Invalid username or password"


class LoginHandler(BaseHandler):
    """The log-in page with its form."""

    def _render(self, login_error: str | None = None, username: str | None = None, **values: Any) -> Any:
        """Return the page, or what gives it when awaited; `login_error` is why the last attempt failed."""
        shown = form_values(self._ctx, self._visit, problem=login_error or "", username=username or "")
        return self.render_template("login.html", **(shown | values))

    async def _show(self, problem: str = "", username: str = "") -> None:
        """Answer with the page, whose `_render` a plug-in may have written for fewer arguments."""
        self.finish(await resolve(call_known(self._render, login_error=problem, username=username)))

    async def get(self) -> None:
        """Show the form, or send on whoever is signed in already or signs in elsewhere."""
        user = self.current_user
        if user is not None and self.get_argument("again", None) is None:
            self.redirect(self.get_next_url(user))
        elif elsewhere := begins_elsewhere(self._ctx, self._visit):
            self.redirect(elsewhere)
        elif is_in_request(self._ctx):
            user = await self.login_user()
            if user is None:
                raise HTTPError(403, self._refusal.reason_for_page if self._refusal else None)
            self.redirect(self.get_next_url(user))
        else:
            await self._show(username=self.get_argument("username", ""))

    async def post(self) -> None:
        """Sign in whoever the form is right for; show it again with the reason to everybody else."""
        fields = {name: self.get_argument(name, strip=False) for name in self.request.body_arguments}
        data = form_data(fields)
        problem, status = _WRONG, 403
        try:
            user = await self.login_user(data)
        except HTTPError as error:
            if self._refusal is None:
                raise
            user, problem, status = None, self._refusal.reason_for_page, error.status_code
        if user is not None:
            self.redirect(self.get_next_url(user))
            return
        self.set_status(status)
        if self._refusal is not None:
            problem = self._refusal.reason_for_page
        await self._show(problem, data["username"])


class LogoutHandler(BaseHandler):
    """Signing out."""

    @property
    def shutdown_on_logout(self) -> bool:
        """Whether servers stop when their owner signs out."""
        return self._ctx.settings.shutdown_on_logout

    async def get(self) -> None:
        """Sign out, as the links of notebook servers expect; another site's link has to be confirmed."""
        if self.current_user is not None and is_foreign(self._visit):
            self.finish(self.render_template("logout.html", signed_out=False))
            return
        await self._leave()

    async def post(self) -> None:
        """Sign out."""
        await self._leave()

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Lead on to where a plug-in wants people to sign out, too.

        Browsers let our forms lead nowhere else (form-action), so that a form is answered by a page first.
        """
        if self.request.method == "POST" and urlsplit(url).netloc not in ("", self.request.host):
            self.set_header("Refresh", f"0; url={url}")
            self.finish(self.render_template("logout.html", signed_out=True))
            return
        super().redirect(url, permanent, status)

    async def _leave(self) -> None:
        await self.default_handle_logout()
        await resolve(self.handle_logout())
        self._jupyterhub_user = self._facts.caller = None
        await resolve(self.render_logout_page())

    async def default_handle_logout(self) -> None:
        """End the session, with all that was given within it."""
        user, caller = self.current_user, self._facts.caller
        if user is None:
            return
        if caller is not None and self.shutdown_on_logout:
            await stop_own_servers(self._ctx, caller)
        self._backend_logout_cleanup(user.name)

    def _backend_logout_cleanup(self, name: str) -> None:
        self.log.info("%s logged out", name)
        self.clear_login_cookie()

    async def handle_logout(self) -> None:
        """Do what a plug-in does when somebody signs out."""

    async def render_logout_page(self) -> None:
        """Show that nobody is signed in any more, and the way back in."""
        self.finish(self.render_template("logout.html", signed_out=True))


def call_known(function: Any, **values: Any) -> Any:
    """Return `function(**values)`, without those that it does not know."""
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        values = {name: value for name, value in values.items() if name in parameters}
    return function(**values)
