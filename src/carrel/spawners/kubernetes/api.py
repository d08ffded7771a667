"""Requests to the API server of a cluster.

What does not answer is asked again, ever more rarely: an API server that is being upgraded is gone for a
minute, and one with too much to do says 429. Only answers that would be the same again are raised at once.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from carrel.spawners.kubernetes.credentials import Access, NoAccess

Json = dict[str, Any]
_AGAIN = frozenset({429, 500, 502, 503, 504})
_FIRST, _LONGEST = 0.2, 10.0
"""The pauses before the second try and before the last ones, in seconds."""
_AT_ONCE = 16
"""So many requests are under way at a time: a class that starts together shall not bury the API server."""
_LONGEST_WORD = 1000
_PATCH = "application/strategic-merge-patch+json"
_JSON = "application/json"


class Refused(Exception):
    """The API server says no."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message or reason or f"the API server answered {status}")
        self.status = status
        self.reason = reason
        """A word of Kubernetes': NotFound, AlreadyExists, Forbidden, Invalid…"""

    @property
    def may_pass(self) -> bool:
        """Tell whether the same request may be answered otherwise later."""
        return self.status in _AGAIN


class Unreachable(Exception):
    """The API server did not answer in all the time that it was given: nothing is known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    request: float = 3.0
    """For one answer."""
    total: float = 30.0
    """For any, with all that are tried."""


def place_of(kind: str, namespace: str = "", name: str = "") -> str:
    """Return the path of a collection of the core API, or with `name` of an object in it."""
    words = ["/api/v1", *(["namespaces", namespace] if namespace else []), kind, *([name] if name else [])]
    return "/".join([words[0], *(quote(word, safe="") for word in words[1:])])


class Api:
    """The API server, for everybody on this hub. Connections are kept; nothing is open before the first."""

    def __init__(self, access: Access, patience: Patience, chance: Callable[[], float]) -> None:
        self.access = access
        self._patience = patience
        self._chance = chance
        self._imported: Any = None
        self._session: Any = None
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._not_before = 0.0

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Return an object or a list of them; raises Refused and Unreachable."""
        return _object(await self._ask("GET", path, query))

    async def find(self, path: str) -> Json | None:
        """Return an object, None when there is none; raises Refused and Unreachable."""
        try:
            return await self.get(path)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return plain text, a log; raises Refused and Unreachable."""
        return (await self._ask("GET", path, query)).decode(errors="replace")

    async def create(self, path: str, body: Json) -> Json:
        """Create an object and return it.

        Raises Refused and Unreachable. After an answer that got lost it may say 409 of what it has made.
        """
        # Fields that the API server does not know are named instead of dropped.
        return _object(await self._ask("POST", path, {"fieldValidation": "Strict"}, body))

    async def replace(self, path: str, body: Json) -> Json:
        """Put an object in the place of another one and return it; raises Refused and Unreachable."""
        return _object(await self._ask("PUT", path, None, body))

    async def patch(self, path: str, body: Json) -> Json:
        """Change some fields of an object and return it; raises Refused and Unreachable."""
        return _object(await self._ask("PATCH", path, None, body))

    async def delete(self, path: str, *, grace: int | None = None, uid: str = "") -> bool:
        """Ask that an object be deleted; tell whether it was there. Raises Refused and Unreachable.

        With a `uid`, another object of that name is left alone, and counts as not there.
        """
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._ask("DELETE", path, None, options)
        except Refused as refusal:
            if refusal.status == 404 or (uid and refusal.status == 409):
                return False
            raise
        return True

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str], silence: float) -> AsyncIterator[Any]:
        """Yield an iterator over the JSON values that the API server sends, one a line.

        Raises Refused when it will not, and Unreachable for whatever breaks it off, `silence` seconds
        without a word among it.
        """
        await self._wait_for_turn()
        aiohttp = await self._library()
        session, name = self._open(aiohttp), self.access.tls_name or None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._patience.request, sock_read=silence)
        try:
            async with session.get(
                self._url(path),
                params=query,
                headers=await self._headers(),
                timeout=timeout,
                server_hostname=name,
            ) as answer:
                if answer.status != 200:
                    if answer.status == 401:
                        await self.access.tokens.token(renew=True)
                    raise self._refusal(answer.status, answer.headers, await answer.read())
                yield _values(answer.content)
        except aiohttp.ClientError as error:
            raise Unreachable(_said(error)) from error

    async def close(self) -> None:
        """Close the connections; may be repeated."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None = None
    ) -> bytes:
        loop = asyncio.get_running_loop()
        until, pause, renew = loop.time() + self._patience.total, _FIRST, False
        while True:
            problem: Exception
            try:
                async with self._room:
                    return await self._once(method, path, query, body, renew=renew)
            except Refused as refusal:
                if refusal.status == 401 and not renew:
                    renew = True
                    continue
                if not refusal.may_pass:
                    raise
                problem = refusal
            except (OSError, TimeoutError, Unreachable) as error:
                problem = Unreachable(f"{self.access.server} does not answer: {_said(error)}")
            # Half of it by chance, so that those who were refused together do not come back together.
            wait = pause * (1 - self._chance() / 2)
            if loop.time() + max(wait, self._not_before - loop.time()) > until:
                raise problem
            await asyncio.sleep(wait)
            pause = min(pause * 2, _LONGEST)

    async def _once(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None, *, renew: bool
    ) -> bytes:
        aiohttp = await self._library()
        await self._wait_for_turn()
        headers = await self._headers(renew=renew)
        data = None
        if body is not None:
            headers["Content-Type"] = _PATCH if method == "PATCH" else _JSON
            data = msgspec.json.encode(body)
        try:
            async with asyncio.timeout(self._patience.request):
                session, name = self._open(aiohttp), self.access.tls_name or None
                async with session.request(
                    method,
                    self._url(path),
                    params=query or {},
                    headers=headers,
                    data=data,
                    server_hostname=name,
                ) as answer:
                    content: bytes = await answer.read()
                    if answer.status >= 300:
                        raise self._refusal(answer.status, answer.headers, content)
                    return content
        except aiohttp.ClientError as error:
            raise Unreachable(_said(error)) from error

    async def _wait_for_turn(self) -> None:
        """Wait as long as the API server has asked for, and a little longer by chance."""
        loop = asyncio.get_running_loop()
        while (left := self._not_before - loop.time()) > 0:
            await asyncio.sleep(left + self._chance() * min(left, 1.0))

    async def _headers(self, *, renew: bool = False) -> dict[str, str]:
        headers = {"Accept": _JSON, "User-Agent": "carrel"}
        if token := await self.access.tokens.token(renew=renew):
            headers["Authorization"] = f"Bearer {token}"
        elif self.access.basic:
            headers["Authorization"] = f"Basic {base64.b64encode(self.access.basic.encode()).decode()}"
        return headers

    def _refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> Refused:
        after = headers.get("Retry-After", "")
        if status in _AGAIN and after.isdigit():
            # What it asks of one request holds for all: they come from the same hub.
            now = asyncio.get_running_loop().time()
            self._not_before = max(self._not_before, now + min(int(after), self._patience.total))
        try:
            told = msgspec.json.decode(content, type=_Status)
        except msgspec.DecodeError:
            return Refused(status, "", content.decode(errors="replace")[:_LONGEST_WORD])
        return Refused(status, told.reason, told.message)

    def _url(self, path: str) -> Any:
        from yarl import URL

        return URL(self.access.server + path, encoded=True)

    async def _library(self) -> Any:
        """Return aiohttp. Only hubs that have a cluster import it, and nobody waits for that meanwhile."""
        if self._imported is None:
            try:
                self._imported = await asyncio.to_thread(importlib.import_module, "aiohttp")
            except ImportError:
                raise NoAccess("Kubernetes needs aiohttp: pip install 'carrel[kubernetes]'") from None
        return self._imported

    def _open(self, aiohttp: Any) -> Any:
        if self._session is None:
            tls = self.access.tls
            connector = aiohttp.TCPConnector(limit=0, ssl=True if tls is None else tls)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""


async def _values(content: Any) -> AsyncIterator[Json]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield _object(line)


def _object(content: bytes) -> Json:
    try:
        value = msgspec.json.decode(content)
    except msgspec.DecodeError:
        value = None
    if not isinstance(value, dict):
        raise Unreachable("what answers is no Kubernetes API")
    return value


def _said(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
