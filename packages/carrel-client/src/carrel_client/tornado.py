"""Hub auth for Tornado: a mixin for handlers, and the handlers of the log-in's own pages."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, ClassVar, cast

from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from carrel_client.auth import Admitted, Answer, HubAuth, Request, Visitor
from carrel_client.auth.exchange import XSRF_NAME, Cookie


class HubAuthenticated(RequestHandler):
    """A handler that only lets in whom the hub lets in; `current_user` is the `Visitor`.

    Stands before RequestHandler or WebSocketHandler in the bases. The application's setting `hub_auth` is
    the service's `HubAuth`. A subclass with its own `prepare` awaits ours first and returns when
    `current_user` is None: the request is answered. `{% module xsrf_form_html() %}` is what a form needs.
    """

    #: The scopes of which one is enough; None for the service's access scopes.
    required_scopes: ClassVar[Collection[str] | None] = None
    _admitted: Admitted | None = None

    async def prepare(self) -> None:
        """Let the visitor in, or answer the request."""
        decision = await hub_auth(self).admit(as_request(self), self.required_scopes)
        if isinstance(decision, Answer):
            send_answer(self, decision)
            return
        self._admitted = decision
        self.current_user = decision.visitor
        set_cookies(self, decision.cookies)

    @property
    def visitor(self) -> Visitor:
        """Return who is here."""
        return cast(Visitor, self.current_user)

    @property
    def xsrf_token(self) -> bytes:
        """Return what a form has to send as `_xsrf`, and a script as X-XSRFToken."""
        return self._admitted.xsrf_token.encode() if self._admitted else b""

    def check_xsrf_cookie(self) -> None:
        """Do nothing: `prepare` has checked, by rules that know the hub."""

    def check_origin(self, origin: str) -> bool:
        """Return True: `prepare` has checked the origin where it matters, which is with a cookie."""
        return True


class _HubPage(RequestHandler):
    async def get(self) -> None:
        answer = await hub_auth(self).page(as_request(self))
        if answer is None:
            self.send_error(404)
        else:
            send_answer(self, answer)


def hub_pages(auth: HubAuth) -> list[tuple[str, type[RequestHandler]]]:
    """Return the rules for the log-in, the log-out and the hub's way back; add them to the application's."""
    paths = (auth.login_path, auth.logout_path, auth.settings.callback_path)
    return [(re.escape(path), _HubPage) for path in paths]


def hub_auth(handler: RequestHandler) -> HubAuth:
    """Return the application's `HubAuth`. Raises RuntimeError when the setting is missing."""
    found = handler.settings.get("hub_auth")
    if not isinstance(found, HubAuth):
        raise RuntimeError("The Tornado application needs the setting hub_auth=HubAuth.from_environment().")
    return found


def as_request(handler: RequestHandler) -> Request:
    """Return what a handler was asked."""
    request = handler.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers["cookie"] = "; ".join(request.headers.get_list("Cookie"))
    return Request(
        method=request.method or "GET",
        uri=request.uri or "/",
        headers=headers,
        scheme=request.protocol,
        websocket=isinstance(handler, WebSocketHandler),
        form_xsrf=handler.get_body_argument(XSRF_NAME, ""),
    )


def send_answer(handler: RequestHandler, answer: Answer) -> None:
    """Answer the request."""
    set_cookies(handler, answer.cookies)
    handler.set_status(answer.status)
    for name, value in answer.headers():
        handler.set_header(name, value)
    handler.finish(answer.body)


def set_cookies(handler: RequestHandler, cookies: Collection[Cookie]) -> None:
    """Set cookies that stay set when the request ends in an error."""
    for cookie in cookies:
        optional: dict[str, Any] = {
            "max_age": cookie.max_age,
            "samesite": cookie.samesite,
            "secure": cookie.secure or None,
            "httponly": cookie.httponly or None,
        }
        handler.set_cookie(
            cookie.name,
            cookie.value,
            domain=cookie.domain,
            expires=cookie.expires,
            path=cookie.path,
            **{name: value for name, value in optional.items() if value is not None},
        )
