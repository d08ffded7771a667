"""Decorators of handlers' methods that refuse who may not ask."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from carrel.core.access import towards
from carrel.core.caller import Caller
from carrel.domain.errors import CarrelError, Unauthenticated
from carrel.http.identify import identify
from carrel.lib.awaiting import resolve

Method = Callable[..., Any]
_KINDS = ("user", "server", "group", "service")


def needs_scope(*scopes: str, post_filter: bool = False) -> Callable[[Method], Method]:
    """Return a decorator that lets those in who hold any of `scopes`.

    An argument of the method that is called `user_name`, `server_name`, `group_name` or `service_name` says
    for what it must be held. With `post_filter` it may be held for anything: the method looks for itself.
    """

    def decorate(method: Method) -> Method:
        signature = inspect.signature(method)

        @functools.wraps(method)
        async def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            about = _about(bound.arguments)
            caller = await _caller(self)
            if caller is None:
                return _unknown(self)
            if owner := about.get("user") or about.get("server", "").partition("/")[0]:
                caller = await towards(self._ctx, caller, [owner])
            try:
                if post_filter:
                    caller.require_any(scopes)
                else:
                    caller.require(*scopes, **about)
            except CarrelError as error:
                raise _refusal(error) from None
            return await resolve(method(self, *args, **kwargs))

        return checked

    return decorate


def admin_only(method: Method) -> Method:
    """Let administrators in alone."""

    @functools.wraps(method)
    async def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        caller = await _caller(self)
        if caller is None:
            return _unknown(self)
        if not caller.is_admin:
            raise _refusal(None)
        return await resolve(method(self, *args, **kwargs))

    return checked


def authenticated_403(method: Method) -> Method:
    """Let those in alone who are known, and refuse others without showing them the log-in."""

    @functools.wraps(method)
    async def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if await _caller(self) is None:
            raise _refusal(Unauthenticated("Missing or invalid credentials."))
        return await resolve(method(self, *args, **kwargs))

    return checked


async def _caller(handler: Any) -> Caller | None:
    """Return who asks with their rights; None also when a plug-in has set its visitor to nobody."""
    return None if handler.current_user is None else await identify(handler._visit)


def _about(arguments: dict[str, Any]) -> dict[str, str]:
    found = {kind: str(arguments[f"{kind}_name"]) for kind in _KINDS if f"{kind}_name" in arguments}
    if "server" in found:
        found["server"] = f"{found.pop('user', '')}/{found['server']}"
    return found


def _unknown(handler: Any) -> None:
    """Send a visitor of a page to the log-in; raise HTTPError (403) for everybody else."""
    from tornado.httputil import url_concat

    if handler.request.method != "GET":
        raise _refusal(Unauthenticated("Missing or invalid credentials."))
    handler.redirect(url_concat(handler.get_login_url(), {"next": handler.request.uri}))


def _refusal(error: CarrelError | None) -> Exception:
    from tornado.web import HTTPError

    from carrel.http.errors import status_of

    return HTTPError(403 if error is None else status_of(error), str(error) if error else None)
