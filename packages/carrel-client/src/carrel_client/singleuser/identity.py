"""Jupyter Server's question "who is this?", answered by the hub."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote

from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.web import Finish, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler
from traitlets import default

from carrel_client.auth import pages
from carrel_client.auth.access import may_enter
from carrel_client.auth.hub import HubRefused, HubUnreachable, Visitor
from carrel_client.singleuser import oauth
from carrel_client.singleuser.server import HubServer
from carrel_client.tornado import as_request, send_answer, set_cookies


class HubIdentityProvider(IdentityProvider):
    """Admits whoever holds one of the access scopes of this server, and nobody else.

    A visitor is known by an Authorization header, by the cookie of a log-in through the hub, or by `?token=`
    where that is allowed (websockets, and everywhere if the deployment says so). There is no token and no
    password of the server's own.
    """

    @default("token")
    def _no_token(self) -> str:
        return ""

    @default("updatable_fields")
    def _nothing_updatable(self) -> list[str]:
        return []

    @property
    def server(self) -> HubServer:
        """Return the server application that this provider belongs to."""
        return cast(HubServer, self.parent)

    def get_user(self, handler: RequestHandler) -> Any:
        """Return (awaitable) the user behind the request, or None where a request may be anonymous.

        Otherwise ends the request: pages go to the hub's log-in, APIs and websockets get a 403, a visitor
        without access gets a page that says so, and a silent hub a 502.
        """
        return self._identify(cast(JupyterHandler, handler))

    def validate_security(self, app: Any, ssl_options: dict[str, Any] | None = None) -> None:
        """Say in the log when the hub let nobody in; listening on every address is normal behind a hub."""
        if not self.server.environment.access_scopes:
            self.log.error("JUPYTERHUB_OAUTH_ACCESS_SCOPES is empty: this server admits nobody")

    def get_handlers(self) -> list[tuple[str, object]]:
        """Return the pages of the log-in through the hub."""
        return [
            ("/login", oauth.LoginHandler),
            ("/logout", oauth.LogoutHandler),
            ("/oauth_callback", oauth.CallbackHandler),
        ]

    def should_check_origin(self, handler: RequestHandler) -> bool:
        """Tell whether a request needs an origin of ours: not with a token, nor when a person opens a page.

        A browser that says `navigate` from here or from nowhere shows what it gets to its user alone; typed
        addresses and bookmarks have no Referer that could be checked instead.
        """
        return not _is_visit(handler) and super().should_check_origin(handler)

    async def _identify(self, handler: JupyterHandler) -> User | None:
        known = getattr(handler, "_jupyter_current_user", None)
        if known is not None:
            return cast(User, known)
        wanted = _hide_token(handler)
        # Error pages ask who the user is, also when this question is what failed.
        handler.current_user = handler._jupyter_current_user = None
        public = _is_public(handler)
        try:
            visitor = await self._visitor(handler)
        except (HubUnreachable, HubRefused) as problem:
            if public:
                return None
            self.log.error("Cannot identify a visitor: %s", problem)
            raise self._end(handler, pages.hub_away(wanted)) from None
        if visitor is None:
            if not public:
                self._ask_to_log_in(handler, wanted)
            return None
        if not may_enter(visitor.scopes, self.server.environment.access_scopes):
            if public:
                return None
            raise self._refuse(handler, visitor)
        return as_user(visitor)

    async def _visitor(self, handler: JupyterHandler) -> Visitor | None:
        cookies, visitors = self.server.cookies, self.server.visitors
        token = self.get_token(handler)
        if token:
            visitor = await visitors.identify(token)
            environment = self.server.environment
            if visitor is not None and may_enter(visitor.scopes, environment.access_scopes):
                handler._token_authenticated = True  # type: ignore[attr-defined]
                if environment.allow_token_in_url and handler.get_query_argument("token", "") == token:
                    # The page behind such a link loads its parts without the token.
                    set_cookies(handler, [cookies.login(as_request(handler), token)])
            return visitor
        if _is_websocket(handler) and not self.server.environment.websocket_cookie_auth:
            return None
        request = as_request(handler)
        token = cookies.token(request)
        visitor = await visitors.identify(token, cookies.session(request)) if token else None
        if visitor is None and not _is_websocket(handler):
            set_cookies(handler, cookies.logged_out(request))
        return visitor

    def get_token(self, handler: RequestHandler) -> str | None:
        """Return the token that the request brings along explicitly, if any."""
        match = self.auth_header_pat.match(handler.request.headers.get("Authorization", ""))
        if match:
            return str(match.group(2)).strip()
        if _is_websocket(handler) or self.server.environment.allow_token_in_url:
            return handler.get_query_argument("token", "")
        return None

    def _ask_to_log_in(self, handler: JupyterHandler, wanted: str) -> None:
        if _is_api(handler) or handler.request.method not in {"GET", "HEAD"}:
            raise HTTPError(403, "Log in first: this needs a token or a log-in through the hub")
        send_answer(handler, self.server.logins.begin(as_request(handler), wanted))
        raise Finish

    def _refuse(self, handler: JupyterHandler, visitor: Visitor) -> Exception:
        environment = self.server.environment
        self.log.warning("%s has no access to this server", visitor.name)
        return self._end(handler, pages.no_access(visitor.name, environment.user, environment.hub_url))

    @staticmethod
    def _end(handler: JupyterHandler, page: pages.Page) -> Exception:
        if _is_api(handler):
            return HTTPError(page.status, f"{page.title}. {page.text}")
        send_answer(handler, page.answer())
        return Finish()


def as_user(visitor: Visitor) -> User:
    """Return the visitor as Jupyter shows people."""
    return User(
        username=visitor.name,
        name=visitor.info.get("name", visitor.name),
        display_name=visitor.info.get("display_name", ""),
        initials=visitor.info.get("initials"),
        avatar_url=visitor.info.get("avatar_url"),
        color=visitor.info.get("color"),
    )


def _is_websocket(handler: RequestHandler) -> bool:
    return isinstance(handler, WebSocketHandler)


def _is_visit(handler: RequestHandler) -> bool:
    headers = handler.request.headers
    return (
        handler.request.method in {"GET", "HEAD"}
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
        and headers.get("Sec-Fetch-Site") in {"none", "same-origin"}
    )


def _is_api(handler: RequestHandler) -> bool:
    return isinstance(handler, APIHandler | WebSocketHandler)


def _is_public(handler: RequestHandler) -> bool:
    method = getattr(handler, (handler.request.method or "").lower(), None)
    return bool(getattr(method, "__allow_unauthenticated", False))


def _hide_token(handler: RequestHandler) -> str:
    """Return the request's URI, and take the token out of the one that ends up in logs."""
    uri = handler.request.uri or ""
    if "token" in handler.request.query_arguments:
        path, _, query = uri.partition("?")
        rest = [part for part in query.split("&") if unquote(part.partition("=")[0]) != "token"]
        handler.request.uri = f"{path}?{'&'.join(rest)}" if rest else path
    return uri
