"""The typed client when the hub is slow, away or strange, and the HTTP beneath it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from carrel_client.api import (
    BadRequest,
    Conflict,
    Forbidden,
    HubApi,
    HubError,
    HubUnavailable,
    NotFound,
    StartFailed,
    Throttled,
    servers,
    shares,
    users,
)
from carrel_client.api.transport import Transport
from carrel_client.http import HttpError, Sending, send

pytestmark = pytest.mark.real

USER = b'{"name": "ada", "servers": {}, "something_new": 1}'


def reply(status: int, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


class Hub:
    """Answers one connection after the other with what the test says, byte for byte."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.headers: list[str] = []
        self.slept: list[float] = []
        self.port = 0
        self._answering: list[Any] = []

    @asynccontextmanager
    async def up(self) -> AsyncIterator[HubApi]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self.api()
            await asyncio.gather(*self._answering)

    def api(self) -> HubApi:
        url = f"http://127.0.0.1:{self.port}/hub/api"
        return HubApi(Transport(url, "the-token", sleep=self._sleep, chance=lambda: 0.0))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answering.append(asyncio.current_task())
        head = (await reader.read(65536)).decode()
        if head:
            self.asked.append(head.partition(" HTTP/")[0])
            self.headers.append(head)
            writer.write(self.answers.pop(0))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_read_waits_as_long_as_the_hub_says() -> None:
    hub = Hub(
        reply(503, b"", "Retry-After: 3"),
        reply(429, b"", "Retry-After: 900"),
        reply(503, b"", "Retry-After: tomorrow"),
        reply(200, USER),
    )
    async with hub.up() as api:
        assert (await api.call(users.get("ada"))).name == "ada"
    assert hub.slept == [3, 30, 2]
    assert hub.asked == ["GET /hub/api/users/ada"] * 4
    assert "Authorization: token the-token" in hub.headers[0]


async def test_a_read_is_given_up_after_five_tries() -> None:
    hub = Hub(*[reply(503, b'{"message": "starting"}')] * 5)
    async with hub.up() as api:
        with pytest.raises(HubUnavailable, match="503: starting"):
            await api.call(users.get("ada"))
    assert hub.slept == [0.5, 1, 2, 4]
    with pytest.raises(HubUnavailable) as away:
        await hub.api().call(users.get("ada"))
    assert away.value.status == 0


@pytest.mark.parametrize("status", [429, 503])
async def test_a_change_is_sent_once(status: int) -> None:
    hub = Hub(reply(status, b"", "Retry-After: 1"))
    async with hub.up() as api:
        with pytest.raises(Throttled if status == 429 else HubUnavailable):
            await api.call(users.create("ada"))
    assert (hub.asked, hub.slept) == (["POST /hub/api/users/ada"], [])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (405, BadRequest),
        (409, Conflict),
        (500, HubUnavailable),
    ],
)
async def test_errors_are_exceptions(status: int, kind: type[HubError]) -> None:
    for body, text in ((b'{"message": "not so"}', "not so"), (b'{"message": null}', "X"), (b"[", "X")):
        hub = Hub(reply(status, body))
        async with hub.up() as api:
            with pytest.raises(kind) as problem:
                await api.call(users.get("ada"))
        assert (type(problem.value), problem.value.status) == (kind, status)
        assert text in {"X", problem.value.message}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name": 1}', b"<html>", b'{"kind": "user"}'])
async def test_an_answer_of_another_shape_is_no_user(body: bytes) -> None:
    async with Hub(reply(200, body)).up() as api:
        with pytest.raises(HubUnavailable, match="not what it should be"):
            await api.call(users.get("ada"))


async def test_the_token_goes_to_no_other_address_than_the_hubs() -> None:
    page = b'{"items": [{"name": "%s"}], "_pagination": {"next": %s}}'
    link = b'{"url": "https://elsewhere.example/hub/api/users?offset=1&limit=1"}'
    hub = Hub(reply(200, page % (b"a", link)), reply(200, page % (b"b", b"null")))
    async with hub.up() as api:
        assert [user.name async for user in api.each(users.find(state="active"))] == ["a", "b"]
    assert hub.asked == ["GET /hub/api/users?state=active", "GET /hub/api/users?offset=1&limit=1"]


async def test_names_lead_nowhere_else() -> None:
    assert users.get("a/b?c#d").path == "/users/a%2Fb%3Fc%23d"
    assert servers.start("ä", "x y").path == "/users/%C3%A4/servers/x%20y"
    for name in (".", ".."):
        with pytest.raises(ValueError, match="cannot be the name"):
            users.delete(name)
    with pytest.raises(ValueError, match="either a user or a group"):
        shares.grant("ada")


async def test_a_start_is_watched_again_after_the_hub_restarted() -> None:
    starting = b'{"name": "ada", "servers": {"": {"name": "", "pending": "spawn"}}}'
    ready = b'{"name": "ada", "servers": {"": {"name": "", "ready": true, "url": "/user/ada/"}}}'
    events = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    step = b'data: {"progress": 10, "message": "on its way"}\n\n'
    broken = f"HTTP/1.1 200 OK\r\n{events}{len(step):x}\r\n".encode() + step + b"\r\n"
    hub = Hub(reply(202), reply(200, starting), broken, reply(503), reply(200, ready))
    async with hub.up() as api:
        assert (await api.start_server("ada")).url == "/user/ada/"
    assert hub.answers == []


async def test_who_may_not_see_a_server_cannot_wait_for_it() -> None:
    async with Hub(reply(202), reply(200, b'{"name": "ada"}')).up() as api:
        with pytest.raises(Forbidden, match="read:servers"):
            await api.start_server("ada")


async def test_a_failed_start_says_why() -> None:
    starting = reply(200, b'{"name": "ada", "servers": {"": {"name": "", "pending": "spawn"}}}')
    failed = (
        b'data: {"failed": true, "message": "no", "failure": {"code": "disk-full", "message": "Full."}}\n\n'
    )
    async with Hub(reply(202), starting, reply(200, b"\n\n" + failed)).up() as api:
        with pytest.raises(StartFailed, match="Full") as problem:
            await api.start_server("ada")
    assert problem.value.failure is not None
    assert problem.value.failure.code == "disk-full"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_an_error(answer: bytes) -> None:
    hub = Hub(answer)
    async with hub.up():
        with pytest.raises(HttpError):
            await send(Sending("GET", f"http://127.0.0.1:{hub.port}/", {}))


@pytest.mark.parametrize(
    ("url", "header"),
    [("ftp://127.0.0.1/", "x"), ("127.0.0.1", "x"), ("PORT", "a\r\nHost: b"), ("PORT", "é€")],
)
async def test_what_no_request_may_hold(url: str, header: str) -> None:
    hub = Hub()
    async with hub.up():
        with pytest.raises(ValueError, match=r"should begin with|cannot be sent"):
            await send(Sending("GET", url.replace("PORT", f"http://127.0.0.1:{hub.port}/"), {"X": header}))
