"""The hub's REST API as far as letting people in needs it."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from carrel_client.auth.environment import HubSettings, TlsFiles
from carrel_client.http import Reply, Sending, send

VERSION_HEADER = "X-JupyterHub-Version"
_FORM = "application/x-www-form-urlencoded"

Log = logging.Logger | logging.LoggerAdapter[Any]


class HubUnreachable(Exception):
    """The hub did not answer, or answered with an error of its own; asking again later may help."""


class HubRefused(Exception):
    """The hub answered that it will not do this; asking again does not help."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person or service as the hub describes the holder of a token."""

    name: str
    scopes: frozenset[str]
    #: What the hub knows of how to show the person: display_name, initials, avatar_url, color.
    info: dict[str, str] = field(default_factory=dict)
    #: All that the hub said: kind, admin, groups and more.
    model: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """Return `user` or `service`."""
        return str(self.model.get("kind", "user"))

    @property
    def admin(self) -> bool:
        """Return whether the hub calls this visitor an admin."""
        return self.model.get("admin") is True

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the names of the visitor's groups."""
        groups = self.model.get("groups")
        return tuple(map(str, groups)) if isinstance(groups, list) else ()

    @property
    def display_name(self) -> str:
        """Return the name to show to people."""
        return self.info.get("display_name") or self.name

    @property
    def identity(self) -> str:
        """Return the name, as Starlette asks for it."""
        return self.name

    @property
    def is_authenticated(self) -> bool:
        """Return True, as Starlette and Flask ask for it."""
        return True


class HubClient:
    """Asynchronous calls to one hub. Every method raises HubUnreachable when the hub does not answer."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self._tls: ssl.SSLContext | None = None

    async def version(self) -> str:
        """Return the version that the hub calls itself, '' when it does not say."""
        reply = await self._ask("GET", self._settings.api_url)
        if not 200 <= reply.status < 300:
            raise HubUnreachable(f"{self._settings.api_url} answered {reply.status}")
        return reply.headers.get(VERSION_HEADER.lower(), "")

    async def visitor(self, token: str) -> Visitor | None:
        """Return who holds `token`, or None when the hub does not know it. Raises HubRefused."""
        if not token.isascii() or not token.isprintable():
            return None
        reply = await self._ask("GET", f"{self._settings.api_url}/user", token)
        if reply.status in {401, 403}:
            return None
        if reply.status >= 400:
            raise HubRefused(f"the hub answered {reply.status} when asked who the visitor is")
        return _visitor(_object(reply))

    async def exchange(self, code: str, verifier: str) -> str:
        """Return the access token for an OAuth authorization code; a code works once. Raises HubRefused."""
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.api_token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.callback_url,
            "code_verifier": verifier,
        }
        url = f"{self._settings.api_url}/oauth2/token"
        reply = await self._ask("POST", url, self._settings.api_token, urlencode(form), _FORM)
        if reply.status >= 400:
            raise HubRefused(_oauth_error(reply))
        token = _object(reply).get("access_token")
        if not isinstance(token, str) or not token:
            raise HubUnreachable("the hub answered without an access token")
        return token

    async def _ask(self, method: str, url: str, token: str = "", body: str = "", kind: str = "") -> Reply:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"token {token}"
        if kind:
            headers["Content-Type"] = kind
        try:
            reply = await send(Sending(method, url, headers, body.encode(), self._tls_context(url)))
        except OSError as problem:
            raise HubUnreachable(f"{type(problem).__name__} at {url}: {problem}") from None
        if reply.status >= 500:
            raise HubUnreachable(f"{url} answered {reply.status}")
        return reply

    def _tls_context(self, url: str) -> ssl.SSLContext | None:
        files = self._settings.tls
        if files is not None and self._tls is None and url.startswith("https:"):
            self._tls = _client_context(files)
        return self._tls


def _client_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.client_ca)
    context.load_cert_chain(files.certfile, files.keyfile)
    return context


def _object(reply: Reply) -> dict[str, object]:
    try:
        value = json.loads(reply.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HubUnreachable(f"{reply.url} did not answer with a JSON object")
    return value


def _visitor(model: dict[str, object]) -> Visitor:
    name, scopes, info = model.get("name"), model.get("scopes"), model.get("user_info")
    if not isinstance(name, str) or not name:
        raise HubUnreachable("the hub described a visitor without a name")
    return Visitor(
        name=name,
        scopes=frozenset(map(str, scopes)) if isinstance(scopes, list) else frozenset(),
        info={key: value for key, value in info.items() if isinstance(value, str) and value}
        if isinstance(info, dict)
        else {},
        model=model,
    )


def _oauth_error(reply: Reply) -> str:
    try:
        answer = _object(reply)
    except HubUnreachable:
        answer = {}
    reason = answer.get("error_description") or answer.get("error")
    return f"the hub refused the log-in: {reason or f'status {reply.status}'}"
