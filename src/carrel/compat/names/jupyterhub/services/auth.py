"""`jupyterhub.services.auth`: who visits a service, for Tornado's handlers and for scripts.

What it decides by is `carrel_client.auth`; here are the names and the shapes that services know.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Collection, Coroutine, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from tornado.web import HTTPError, RequestHandler
from traitlets import Dict, Set, Unicode, default
from traitlets.config import SingletonConfigurable

from carrel_client.auth import Admitted, Answer, HubSettings, Request, may_enter
from carrel_client.auth import HubAuth as Gate
from carrel_client.auth.environment import TlsFiles
from carrel_client.auth.hub import HubClient
from carrel_client.loops import LoopThread
from carrel_client.tornado import as_request, send_answer, set_cookies

__all__ = [
    "HubAuth",
    "HubAuthenticated",
    "HubOAuth",
    "HubOAuthCallbackHandler",
    "HubOAuthenticated",
    "UserNotAllowed",
    "check_scopes",
]

Model = dict[str, Any]
T = TypeVar("T")


def check_scopes(required_scopes: Collection[str], scopes: Collection[str]) -> set[str]:
    """Return those of the required scopes that the held ones give; empty for none."""
    return {scope for scope in required_scopes if may_enter(scopes, [scope])}


def _from(variable: str, otherwise: str = "") -> str:
    return os.environ.get(variable) or otherwise


class HubAuth(SingletonConfigurable):
    """Asks the hub who holds a token. Values are those of the environment that the hub gives its services."""

    api_url = Unicode(help="The hub's API.").tag(config=True)
    api_token = Unicode(help="The service's own token.").tag(config=True)
    base_url = Unicode(help="The path below which the service answers.").tag(config=True)
    hub_host = Unicode(help="Scheme and host of the hub, where those are its own.").tag(config=True)
    hub_prefix = Unicode(help="The path of the hub's pages.").tag(config=True)
    login_url = Unicode(help="Where visitors log in; without one they cannot.").tag(config=True)
    keyfile = Unicode(help="The key for encrypted connections to the hub.").tag(config=True)
    certfile = Unicode(help="The certificate for encrypted connections to the hub.").tag(config=True)
    client_ca = Unicode(help="The authority of encrypted connections to the hub.").tag(config=True)
    oauth_client_id = Unicode(help="The service's OAuth client.").tag(config=True)
    oauth_redirect_uri = Unicode(help="Where the hub sends visitors back.").tag(config=True)
    access_scopes: Any = Set(Unicode(), help="The scopes of which one is needed.").tag(config=True)
    cookie_options: Any = Dict(help="How cookies are set.").tag(config=True)

    @default("api_url")
    def _default_api_url(self) -> str:
        return _from("JUPYTERHUB_API_URL", f"http://127.0.0.1:8081{self.hub_prefix}api")

    @default("api_token")
    def _default_api_token(self) -> str:
        return _from("JUPYTERHUB_API_TOKEN")

    @default("base_url")
    def _default_base_url(self) -> str:
        return _from("JUPYTERHUB_SERVICE_PREFIX", "/")

    @default("hub_host")
    def _default_hub_host(self) -> str:
        return _from("JUPYTERHUB_HOST")

    @default("hub_prefix")
    def _default_hub_prefix(self) -> str:
        return f"{_from('JUPYTERHUB_BASE_URL', '/').rstrip('/')}/hub/"

    @default("keyfile")
    def _default_keyfile(self) -> str:
        return _from("JUPYTERHUB_SSL_KEYFILE")

    @default("certfile")
    def _default_certfile(self) -> str:
        return _from("JUPYTERHUB_SSL_CERTFILE")

    @default("client_ca")
    def _default_client_ca(self) -> str:
        return _from("JUPYTERHUB_SSL_CLIENT_CA")

    @default("oauth_client_id")
    def _default_client_id(self) -> str:
        return _from("JUPYTERHUB_CLIENT_ID")

    @default("oauth_redirect_uri")
    def _default_redirect_uri(self) -> str:
        return _from("JUPYTERHUB_OAUTH_CALLBACK_URL", f"{self.base_url}oauth_callback")

    @default("access_scopes")
    def _default_access_scopes(self) -> set[str]:
        text = _from("JUPYTERHUB_OAUTH_ACCESS_SCOPES", _from("JUPYTERHUB_OAUTH_SCOPES", "[]"))
        return set(json.loads(text))

    @default("cookie_options")
    def _default_cookie_options(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = json.loads(_from("JUPYTERHUB_COOKIE_OPTIONS", "{}"))
        return options

    @cached_property
    def settings(self) -> HubSettings:
        """All of this as `carrel_client.auth` takes it."""
        tls = TlsFiles(self.keyfile, self.certfile, self.client_ca) if self.keyfile else None
        return HubSettings(
            api_token=self.api_token,
            api_url=self.api_url.rstrip("/"),
            client_id=self.oauth_client_id,
            prefix=self.base_url,
            base_url=self.hub_prefix.removesuffix("hub/"),
            hub_host=self.hub_host,
            callback_url=self.oauth_redirect_uri,
            access_scopes=frozenset(self.access_scopes),
            cookie_options=self.cookie_options,
            host_prefix_cookies=_from("JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED") == "1",
            websocket_cookie_auth=_from("JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH", "1") == "1",
            allow_token_in_url=_from("JUPYTERHUB_ALLOW_TOKEN_IN_URL") == "1",
            tls=tls,
        )

    @cached_property
    def gate(self) -> Gate:
        """Return what decides; its work runs on a loop of its own, whoever calls."""
        return Gate(self.settings)

    @cached_property
    def _loop(self) -> LoopThread:
        return LoopThread()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` gives; blocks the caller."""
        return self._loop.run(work)

    def later(self, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Return something to await what `work` gives."""
        return asyncio.to_thread(self._loop.run, work)

    def _answer(self, work: Coroutine[Any, Any, T], *, sync: bool) -> T | Awaitable[T]:
        return self.run(work) if sync else self.later(work)

    def user_for_token(
        self, token: str, use_cache: bool = True, session_id: str = "", *, sync: bool = True
    ) -> Any:
        """Return the hub's model of who holds a token, None when it knows nobody.

        Raises HubUnreachable and HubRefused. Without `sync` it can be awaited.
        """
        return self._answer(self._model(token), sync=sync)

    async def _model(self, token: str) -> Model | None:
        visitor = await self.gate.visitor(token)
        return None if visitor is None else dict(visitor.model)

    def get_user(self, handler: RequestHandler, *, sync: bool = True) -> Any:
        """Return the hub's model of who sent a request, None for a stranger."""
        return self._answer(self._user(self.request_of(handler)), sync=sync)

    async def _user(self, request: Request) -> Model | None:
        found = await self.gate.identify(request)
        return dict(found.visitor.model) if isinstance(found, Admitted) else None

    def request_of(self, handler: RequestHandler) -> Request:
        """Return what a handler was asked, without cookies: log-ins need HubOAuth."""
        request = as_request(handler)
        return replace(request, headers={**request.headers, "cookie": ""})

    def get_token(self, handler: RequestHandler, in_cookie: bool = True) -> str | None:
        """Return the token that a request presents in its header, None without one."""
        return self.request_of(handler).authorization

    def get_session_id(self, handler: RequestHandler) -> str:
        """Return the browser's session at the hub, empty when it has none."""
        return handler.get_cookie("jupyterhub-session-id") or ""

    def check_scopes(self, required_scopes: Collection[str], user: Mapping[str, Any]) -> set[str]:
        """Return those of the required scopes that a user, as the hub describes one, has."""
        return check_scopes(required_scopes, user["scopes"])


class HubOAuth(HubAuth):
    """Lets browsers log in by the hub, too."""

    @default("login_url")
    def _default_login_url(self) -> str:
        return f"{self.oauth_authorization_url}?client_id={self.oauth_client_id}"

    @property
    def oauth_authorization_url(self) -> str:
        """Return where browsers are sent."""
        return f"{self.settings.hub_url}api/oauth2/authorize"

    @property
    def oauth_token_url(self) -> str:
        """Return where codes become tokens."""
        return f"{self.settings.api_url}/oauth2/token"

    @property
    def cookie_name(self) -> str:
        """Return the name of the cookie that keeps a log-in."""
        return self.oauth_client_id

    def request_of(self, handler: RequestHandler) -> Request:
        """Return what a handler was asked."""
        return as_request(handler)

    def get_token(self, handler: RequestHandler, in_cookie: bool = True) -> str | None:
        """Return the token that a request presents in its header, or its log-in's."""
        request = self.request_of(handler)
        return request.authorization or (in_cookie and self.gate.cookies.token(request)) or None

    def token_for_code(self, code: str, *, code_verifier: str = "", sync: bool = True) -> Any:
        """Return the access token for a code that the hub sent; a code works once. Raises HubRefused."""
        return self._answer(HubClient(self.settings).exchange(code, code_verifier), sync=sync)

    def set_cookie(self, handler: RequestHandler, access_token: str) -> None:
        """Log the browser in here as the holder of a token."""
        set_cookies(handler, [self.gate.cookies.login(self.request_of(handler), access_token)])

    def clear_cookie(self, handler: RequestHandler) -> None:
        """Log the browser out here."""
        set_cookies(handler, self.gate.cookies.logged_out(self.request_of(handler)))


class UserNotAllowed(Exception):
    """The hub knows the visitor, who may not come in."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        super().__init__(f"{model.get('kind', 'user')} {model['name']} is not allowed here")
        self.model = model


class HubAuthenticated(RequestHandler):
    """A handler's mixin: `current_user` is the hub's model of the visitor, and None for who may not enter.

    Methods that need a visitor are decorated with `tornado.web.authenticated`.
    """

    hub_auth_class = HubAuth
    hub_services: Collection[str] | None = None
    hub_users: Collection[str] | None = None
    hub_groups: Collection[str] | None = None
    allow_admin = False
    _hub_auth: HubAuth | None = None
    _refusal = ""

    @property
    def hub_auth(self) -> HubAuth:
        """What knows the hub; one for the process unless a handler has its own."""
        if self._hub_auth is None:
            self._hub_auth = self.hub_auth_class.instance()
        return self._hub_auth

    @hub_auth.setter
    def hub_auth(self, auth: HubAuth) -> None:
        self._hub_auth = auth

    @property
    def hub_scopes(self) -> Collection[str] | None:
        """The scopes of which one is needed; None where access goes by the old sets."""
        return self.hub_auth.access_scopes or None

    @property
    def allow_all(self) -> bool:
        """Whether nothing limits who may enter."""
        limits = (self.hub_scopes, self.hub_services, self.hub_users, self.hub_groups)
        return all(limit is None for limit in limits) and not self.allow_admin

    def check_hub_user(self, model: Model) -> Model | None:
        """Return the visitor who may enter; raise UserNotAllowed, or return None, for one who may not."""
        if self.allow_all or self._may_enter(model):
            return model
        raise UserNotAllowed(model)

    def _may_enter(self, model: Model) -> bool:
        if self.hub_scopes:
            return bool(self.hub_auth.check_scopes(self.hub_scopes, model))
        if self.allow_admin and model.get("admin"):
            return True
        if model.get("kind") == "service":
            return model["name"] in (self.hub_services or ())
        groups = set(self.hub_groups or ())
        return model["name"] in (self.hub_users or ()) or not groups.isdisjoint(model.get("groups", ()))

    @cached_property
    def _found(self) -> Admitted | Answer:
        auth = self.hub_auth
        return auth.run(auth.gate.identify(auth.request_of(self)))

    def get_current_user(self) -> Any:
        """Return the visitor, None for strangers and for who may not enter."""
        if not isinstance(self._found, Admitted):
            return None
        model = dict(self._found.visitor.model)
        try:
            user = self.check_hub_user(model)
        except UserNotAllowed as refusal:
            self._refusal = str(refusal)
            return None
        set_cookies(self, self._found.cookies)
        return user

    def get_login_url(self) -> str:
        """Return where a stranger logs in, remembering where to come back to; raise HTTPError for others."""
        if self._refusal or isinstance(self._found, Admitted):
            raise HTTPError(403, self._refusal or "You are not allowed here")
        if not self.hub_auth.login_url or not self._found.location:
            raise HTTPError(self._found.status if self._found.status >= 400 else 403)
        set_cookies(self, self._found.cookies)
        return self._found.location

    @property
    def xsrf_token(self) -> bytes:
        """Return what a form has to send as `_xsrf`, and a script as X-XSRFToken."""
        return self._found.xsrf_token.encode() if isinstance(self._found, Admitted) else b""

    def check_xsrf_cookie(self) -> None:
        """Refuse a request of a browser that does not prove that its page sent it."""
        if isinstance(self._found, Answer):
            raise HTTPError(403, "Log in first, or send the _xsrf cookie as X-XSRFToken")


class HubOAuthenticated(HubAuthenticated):
    """The mixin for services that browsers visit."""

    hub_auth_class = HubOAuth


class HubOAuthCallbackHandler(HubOAuthenticated):
    """The page at which the hub sends browsers back; belongs at the service's `oauth_callback`."""

    async def get(self) -> None:
        """Finish the log-in."""
        auth = self.hub_auth
        answer = await auth.later(auth.gate.page(as_request(self)))
        if answer is None:
            raise HTTPError(404)
        send_answer(self, answer)
