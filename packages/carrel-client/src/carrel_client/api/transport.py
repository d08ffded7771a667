"""Sends calls to one hub: the token, JSON in and out, errors as exceptions, and trying again."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from carrel_client.api.calls import Call
from carrel_client.api.errors import HubError, HubUnavailable, error
from carrel_client.http import REQUEST_SECONDS, Reply, Sending, Stream, opened, send

T = TypeVar("T")

PAGES = "application/jupyterhub-pagination+json"
_TRIES = 5
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
#: The hub says something at least every eight seconds.
_SILENCE_SECONDS = 60.0
_AGAIN = frozenset({429, 503})

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Transport:
    """One hub, as the holder of one token."""

    api_url: str
    token: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    request_seconds: float = REQUEST_SECONDS
    """How long one try may take; a start or stop answers after up to ten seconds."""
    sleep: Sleep = asyncio.sleep
    chance: Callable[[], float] = random.random

    async def call(self, call: Call[T]) -> T:
        """Return what the hub answers. Raises HubError."""
        reply = await self._answer(call.method, self.url(call.path, call.query), call.body)
        if call.returns is None:
            return None  # type: ignore[return-value]  # T is None then
        return decoded(reply.body, call.returns)

    async def page(self, url: str, kind: type[T]) -> T:
        """Return one page of a listing. Raises HubError."""
        return decoded((await self._answer("GET", url, None, PAGES)).body, kind)

    async def events(self, path: str) -> AsyncGenerator[bytes, None]:
        """Yield the data of server-sent events until the hub ends the stream. Raises HubError."""
        sending = self._sending("GET", self.url(path, {}), None, "text/event-stream")
        try:
            async with opened(sending, self.request_seconds) as stream:
                if stream.status >= 400:
                    raise _refusal(await stream.read())
                async for data in _event_data(stream):
                    yield data
        except OSError as problem:
            raise _away(self.api_url, problem) from None

    def url(self, path: str, query: Any) -> str:
        """Return the address of a path below the API's."""
        return f"{self.api_url}{path}?{urlencode(query)}" if query else f"{self.api_url}{path}"

    async def _answer(self, method: str, url: str, body: Any, accept: str = "application/json") -> Reply:
        sending = self._sending(method, url, body, accept)
        pause = 0.0
        for attempt in range(_TRIES if method == "GET" else 1):
            if attempt:
                await self.sleep(pause)
            try:
                reply = await send(sending, self.request_seconds)
            except OSError as problem:
                failure: HubError = _away(url, problem)
                pause = self._pause(attempt, "")
                continue
            if reply.status < 300:
                return reply
            failure = _refusal(reply)
            if reply.status not in _AGAIN:
                break
            pause = self._pause(attempt, reply.headers.get("retry-after", ""))
        raise failure

    def _pause(self, attempt: int, retry_after: str) -> float:
        """Return the seconds until the next try: what the hub says, else ever more, and never all at once."""
        asked = float(retry_after) if retry_after.isdigit() else _FIRST_PAUSE * 2**attempt
        return min(asked, _LONGEST_PAUSE) * (1 + self.chance() / 4)

    def _sending(self, method: str, url: str, body: Any, accept: str) -> Sending:
        headers = {"Accept": accept, "Authorization": f"token {self.token}"}
        if not self.token:
            del headers["Authorization"]
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        return Sending(method, url, headers, content, self.tls)


async def _event_data(stream: Stream) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in stream.chunks(_SILENCE_SECONDS):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def decoded(body: bytes, kind: type[T]) -> T:
    """Return a body as what it should be. Raises HubError when it is something else."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as problem:
        raise HubUnavailable(0, f"the hub's answer is not what it should be: {problem}") from None


def _refusal(reply: Reply) -> HubError:
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    told = answer.get("message")
    place = reply.url.partition("?")[0]
    return error(reply.status, str(told or f"the hub answered {reply.status} at {place}"), answer)


def _away(url: str, problem: OSError) -> HubUnavailable:
    return HubUnavailable(0, f"the hub at {url.partition('?')[0]} does not answer: {problem or 'too slow'}")
