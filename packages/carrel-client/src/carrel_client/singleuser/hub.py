"""The hub's REST API as far as a single-user server needs it."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from carrel_client.singleuser.environment import HubEnvironment, TlsFiles

VERSION_HEADER = "X-JupyterHub-Version"
_MEETING_PAUSES = (2.0, 4.0, 8.0, 16.0)
_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 20.0

Log = logging.Logger | logging.LoggerAdapter[Any]
Sleep = Callable[[float], Awaitable[None]]


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


class HubClient:
    """Asynchronous calls to one hub. Every method raises HubUnreachable when the hub does not answer."""

    def __init__(self, environment: HubEnvironment) -> None:
        self._environment = environment
        self._http: AsyncHTTPClient | None = None
        self._tls: ssl.SSLContext | None = None

    async def version(self) -> str:
        """Return the version that the hub calls itself, '' when it does not say."""
        reply = await self._ask("GET", self._environment.api_url)
        if not 200 <= reply.code < 300:
            raise HubUnreachable(f"{self._environment.api_url} answered {reply.code}")
        return reply.headers.get(VERSION_HEADER, "")

    async def visitor(self, token: str) -> Visitor | None:
        """Return who holds `token`, or None when the hub does not know it. Raises HubRefused."""
        reply = await self._ask("GET", f"{self._environment.api_url}/user", token)
        if reply.code in {401, 403}:
            return None
        if reply.code >= 400:
            raise HubRefused(f"the hub answered {reply.code} when asked who the visitor is")
        return _visitor(_object(reply))

    async def exchange(self, code: str, verifier: str) -> str:
        """Return the access token for an OAuth authorization code; a code works once. Raises HubRefused."""
        form = {
            "client_id": self._environment.client_id,
            "client_secret": self._environment.api_token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._environment.callback_url,
            "code_verifier": verifier,
        }
        url = f"{self._environment.api_url}/oauth2/token"
        reply = await self._ask("POST", url, self._environment.api_token, urlencode(form))
        if reply.code >= 400:
            raise HubRefused(_oauth_error(reply))
        token = _object(reply).get("access_token")
        if not isinstance(token, str) or not token:
            raise HubUnreachable("the hub answered without an access token")
        return token

    async def report_activity(self, moment: str) -> None:
        """Tell the hub that this server was last used at `moment` (ISO 8601). Raises HubRefused."""
        body = {
            "servers": {self._environment.server_name: {"last_activity": moment}},
            "last_activity": moment,
        }
        reply = await self._ask(
            "POST", self._environment.activity_url, self._environment.api_token, json.dumps(body)
        )
        if reply.code >= 400:
            raise HubRefused(f"the hub answered {reply.code}")

    def close(self) -> None:
        """Close the connections; calls under way fail. May be repeated."""
        if self._http is not None:
            self._http.close()
            self._http = None

    async def _ask(self, method: str, url: str, token: str = "", body: str | None = None) -> HTTPResponse:
        if self._http is None:
            self._http = AsyncHTTPClient(force_instance=True)
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"token {token}"
        if body is not None:
            headers["Content-Type"] = (
                "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
            )
        request = HTTPRequest(
            url,
            method=method,
            headers=headers,
            body=body,
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
            follow_redirects=False,
            ssl_options=self._tls_context(url),
        )
        try:
            reply = await self._http.fetch(request, raise_error=False)
        except (HTTPClientError, OSError) as problem:
            raise HubUnreachable(f"{type(problem).__name__} at {url}: {problem}") from None
        if reply.code >= 500:
            raise HubUnreachable(f"{url} answered {reply.code}")
        return reply

    def _tls_context(self, url: str) -> ssl.SSLContext | None:
        files = self._environment.tls
        if files is not None and self._tls is None and url.startswith("https:"):
            self._tls = _client_context(files)
        return self._tls


async def meet(
    hub: HubClient, log: Log, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> str | None:
    """Return the version of a hub that is perhaps still starting, or None when five tries found none."""
    for pause in (*_MEETING_PAUSES, None):
        try:
            return await hub.version()
        except HubUnreachable as problem:
            log.warning("The hub does not answer: %s", problem)
        if pause is not None:
            await sleep(pause)
    return None


def _client_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.client_ca)
    context.load_cert_chain(files.certfile, files.keyfile)
    return context


def _object(reply: HTTPResponse) -> dict[str, object]:
    try:
        value = json.loads(reply.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HubUnreachable(f"{reply.effective_url} did not answer with a JSON object")
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
    )


def _oauth_error(reply: HTTPResponse) -> str:
    try:
        answer = _object(reply)
    except HubUnreachable:
        answer = {}
    reason = answer.get("error_description") or answer.get("error")
    return f"the hub refused the log-in: {reason or f'status {reply.code}'}"
