"""The hub's REST API for asynchronous programs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec

from carrel_client.api import servers, users
from carrel_client.api.calls import Call, Listing
from carrel_client.api.errors import BadRequest, Forbidden, HubUnavailable, NotFound, StartFailed
from carrel_client.api.models import Failure, Progress, Server
from carrel_client.api.transport import Transport, decoded

T = TypeVar("T")

START_SECONDS = 600.0
STOP_SECONDS = 120.0
_LOOK_AGAIN = 0.5


class _Next(msgspec.Struct):
    url: str


class _Pagination(msgspec.Struct):
    next: _Next | None = None


class _Page(msgspec.Struct, Generic[T]):
    items: list[T]
    pagination: _Pagination = msgspec.field(name="_pagination")


class HubApi:
    """One hub, as the holder of one token. Methods may be called at the same time; all raise HubError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def at(cls, api_url: str, token: str) -> HubApi:
        """Return the hub whose API is at `api_url`, such as `http://127.0.0.1:8081/hub/api`."""
        return cls(Transport(api_url.rstrip("/"), token))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> HubApi:
        """Return the hub that has started this service or server. Raises KeyError outside of one."""
        return cls.at(variables["JUPYTERHUB_API_URL"], variables["JUPYTERHUB_API_TOKEN"])

    async def call(self, call: Call[T]) -> T:
        """Return what the hub answers to a call of `carrel_client.api`'s modules.

        Reading is tried up to five times while the hub is away, restarting or too busy (503, 429), after what
        it says in Retry-After, at most half a minute each. What changes something is sent once.
        """
        return await self._transport.call(call)

    async def each(self, listing: Listing[T]) -> AsyncGenerator[T, None]:
        """Yield everything that a listing has, page by page."""
        url: str | None = self._transport.url(listing.path, listing.query)
        while url:
            # mypy takes no value for a type's parameter; msgspec does.
            page = await self._transport.page(url, _Page[listing.item])  # type: ignore[name-defined]
            for item in page.items:
                yield item
            url = self._here(page.pagination.next.url) if page.pagination.next else None

    async def watch(self, user: str, name: str = "") -> AsyncGenerator[Progress, None]:
        """Yield the steps of the present start, the last with `ready` or `failed`.

        BadRequest when the server is neither starting nor ready. Ends without such a step when the hub stops.
        """
        async with aclosing(self._transport.events(f"{servers.server_path(user, name)}/progress")) as events:
            async for data in events:
                step = decoded(data, Progress)
                yield step
                if step.ready or step.failed:
                    return

    async def start_server(
        self,
        user: str,
        name: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        seconds: float = START_SECONDS,
    ) -> Server:
        """Start a server, wait until it is ready and return it; one that runs already is returned at once.

        Raises StartFailed when it fails, TimeoutError after `seconds`; the start goes on then. May be
        repeated.
        """
        async with asyncio.timeout(seconds):
            try:
                await self.call(servers.start(user, name, options))
            except BadRequest:
                server = await self._server(user, name)
                if server is None or server.pending == "stop":
                    raise
            except HubUnavailable as problem:
                if problem.status != 500:
                    raise
                raise StartFailed(problem.message, _failure(problem.answer)) from None
            return await self._until_ready(user, name)

    async def stop_server(
        self, user: str, name: str = "", *, remove: bool = False, seconds: float = STOP_SECONDS
    ) -> None:
        """Stop a server and return when it has stopped, TimeoutError after `seconds`. May be repeated."""
        async with asyncio.timeout(seconds):
            try:
                await self.call(servers.stop(user, name, remove=remove))
            except NotFound:
                await self.call(users.get(user))  # that one is told
            while await self._server(user, name) is not None:
                await self._transport.sleep(_LOOK_AGAIN)

    async def _until_ready(self, user: str, name: str) -> Server:
        while True:
            server = await self._server(user, name)
            if server is not None and server.ready:
                return server
            try:
                async with aclosing(self.watch(user, name)) as steps:
                    async for step in steps:
                        if step.failed:
                            raise StartFailed(step.message, step.failure)
            except (BadRequest, NotFound) as problem:
                if server is None:
                    raise StartFailed(problem.message) from None
            except HubUnavailable:
                pass  # restarting: the look above tries again for a while
            await self._transport.sleep(_LOOK_AGAIN)

    async def _server(self, user: str, name: str) -> Server | None:
        """Return a server that is not stopped."""
        found = (await self.call(users.get(user))).servers
        if found is None:
            raise Forbidden(
                403, f"this token may not see the servers of {user}: it needs the scope read:servers"
            )
        server = found.get(name)
        return None if server is None or server.stopped else server

    def _here(self, url: str) -> str:
        """Return the hub's link at the address that we know: proxies change it, and the token goes along."""
        parts, ours = urlsplit(url), urlsplit(self._transport.api_url)
        return urlunsplit((ours.scheme, ours.netloc, parts.path, parts.query, ""))


def _failure(answer: Mapping[str, Any]) -> Failure | None:
    try:
        return msgspec.convert(answer.get("failure"), Failure)
    except msgspec.ValidationError:
        return None
