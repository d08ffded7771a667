"""Requests for servers that do not run, which the data plane answers in the hub's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.dataplane.request import Request
from carrel.dataplane.routes import Route
from carrel.dataplane.stopped import StoppedServers
from carrel.dataplane.targets import parse_target
from tests.dataplane.harness import Answer, Backend, Proxy, backend, proxy, until

HUB = parse_target("http://127.0.0.1:8081")
DATA = {"hub": True, "servers": "/base/user/"}
CALL = "/base/user/ada/api/kernels"
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")


class Now:
    """A clock that stands."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def _request(path: str, **headers: str) -> Request:
    lines = [
        f"GET {path} HTTP/1.1",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return Request("\r\n".join([*lines, "", ""]).encode(), b"GET", path.encode())


def _route(**data: object) -> Route:
    return Route((b"base",), HUB, data or DATA, 0.0)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def stopped(now: Now) -> StoppedServers:
    return StoppedServers(now)


def _answered(stopped: StoppedServers, path: str, route: Route | None = None) -> bool:
    """Tell whether the data plane answers the second such request."""
    route = route or _route()
    stopped.answer(_request(path), route)
    return stopped.answer(_request(path), route) is not None


def test_the_hub_hears_of_a_server_once_in_a_while(stopped: StoppedServers, now: Now) -> None:
    def to_the_hub() -> int:
        return sum(stopped.answer(_request(CALL), _route()) is None for _ in range(100))

    assert to_the_hub() == 1
    now.seconds += 4.9
    assert to_the_hub() == 0
    now.seconds += 0.1
    assert to_the_hub() == 1


@pytest.mark.parametrize(("wanted", "status"), [(None, 424), (503, 503), ("503", 424), (200, 424)])
def test_the_hubs_route_may_ask_for_the_old_status(
    stopped: StoppedServers, wanted: object, status: int
) -> None:
    route = _route(**DATA, stopped_status=wanted)
    stopped.answer(_request(CALL), route)
    for headers in ({}, {"Connection": "Upgrade", "Upgrade": "websocket"}):
        reply = stopped.answer(_request(CALL, **headers), route)
        assert reply is not None
        assert reply.status == status


def test_it_hears_of_each_server_but_not_of_each_path(stopped: StoppedServers) -> None:
    paths = (
        "/ada/api/a",
        "/ada/api/b",
        "/ada/one/api/a",
        "/ada/one/api/b",
        "/bob/api/a",
        "/b%6Fb/%61pi/api/",
    )
    heard = [stopped.answer(_request(f"/base/user{path}"), _route()) is None for path in paths]
    assert heard == [True, False, True, False, True, False]


def test_it_hears_of_so_many_at_most(stopped: StoppedServers, now: Now) -> None:
    def to_the_hub() -> int:
        paths = (f"/base/user/{number}/api/x" for number in range(3000))
        return sum(stopped.answer(_request(path), _route()) is None for path in paths)

    assert to_the_hub() == 1024
    now.seconds += 5
    assert to_the_hub() == 1024


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/base/user/ada/api/x", True),
        ("/base/user/ada/server/api/x", True),
        ("/base/%75ser/ada/api/x", True),
        ("/base/user/a%2Fb/api/x", True),
        ("/base/user//api/x", False),
        ("/base/user/api/", True),
        ("/base/users/ada/api/x", False),
        ("/base/hub/user/ada/api/x", False),
        ("/base/hub/api/users", False),
        ("/user/ada/api/x", False),
    ],
)
def test_only_what_is_below_the_path_of_the_servers(stopped: StoppedServers, path: str, ours: bool) -> None:
    assert _answered(stopped, path) is ours


@pytest.mark.parametrize(
    "data",
    [
        {"hub": True},
        {"servers": "/base/user/"},
        {"hub": True, "servers": 5},
        {"hub": True, "servers": "/"},
        {"hub": True, "servers": "/base/user?x"},
        {"user": "ada"},
    ],
)
def test_other_routes_are_left_alone(stopped: StoppedServers, data: dict[str, object]) -> None:
    assert not _answered(stopped, CALL, _route(**data))


@pytest.mark.parametrize(
    ("headers", "visit"),
    [
        ({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, True),
        ({"Accept": "text/html", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Sec_Fetch_Mode": "navigate"}, True),
        ({"Accept": "*/*", "Sec_Fetch_Mode": "cors"}, False),
        ({"Accept": "*/*", "Referer": "https://h/base/user/ada/lab"}, False),
        ({"Accept": "*/*"}, True),
        ({}, True),
        ({"Accept": "application/json, text/plain, */*"}, False),
        ({"Accept": "image/png,*/*;q=0.8"}, False),
    ],
)
def test_who_may_be_a_visitor_sees_the_hub(
    stopped: StoppedServers, headers: dict[str, str], visit: bool
) -> None:
    stopped.answer(_request("/base/user/ada/lab/x"), _route())
    for _ in range(2):
        answer = stopped.answer(_request("/base/user/ada/lab", **headers), _route())
    assert (answer is None) is visit


@pytest.fixture
async def front(tmp_path: Path, behind: Backend) -> AsyncIterator[Proxy]:
    """A proxy in front of a hub whose users' servers are stopped."""
    async with proxy(tmp_path) as running:
        await running.route("/base", behind.url, **DATA)
        yield running


async def _ask(front: Proxy, method: str, path: str, *headers: str, body: bytes = b"") -> Answer:
    lines = [f"{method} {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers, "", ""]
    return await front.ask("\r\n".join(lines).encode() + body)


@pytest.mark.real
async def test_all_programs_get_the_same_answer_for_whatever_name(front: Proxy, behind: Backend) -> None:
    await front.get(CALL)
    await front.get("/base/user/ada/lab/x", "Accept: application/json")
    assert len(behind.seen) == 2
    for answer in (
        await front.get(CALL),
        await front.get("/base/user/ada/lab", "Accept: application/json"),
        await _ask(front, "PUT", "/base/user/ada/api/contents/a", body=b"notebook"),
        await _ask(front, "POST", "/base/user/ada/lab", "Accept: text/html", body=b"form"),
    ):
        assert (answer.status, answer.headers["retry-after"]) == (424, "5")
        assert answer.headers["content-type"] == "application/json"
        message = "The server at /base/user/ada/ is no longer running. Restart the server at /base/hub/home"
        assert answer.json() == {"message": message}
    other = await _ask(front, "PUT", "/base/user/j%C3%B6rg%40x/api/x", body=b"b")
    assert str(other.json()["message"]).startswith("The server at /base/user/j%C3%B6rg@x/ is no longer")
    assert len(behind.seen) == 2


@pytest.mark.real
async def test_an_upgrade_gets_an_empty_answer_and_a_close(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    lines = [f"GET {CALL} HTTP/1.1", "Host: h", *UPGRADE, "", ""]
    wire.send("\r\n".join(lines).encode())
    answer = await wire.answer()
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (424, b"", "5")
    assert answer.headers["connection"] == "close"
    assert await wire.rest() == b""
    assert behind.connections == 0


@pytest.mark.real
async def test_people_and_the_hubs_own_pages_pass(front: Proxy, behind: Backend) -> None:
    for path in ("/base/user/ada/lab", "/base/hub/api/users", "/base/"):
        for _ in range(3):
            assert (await front.get(path, "Accept: text/html")).status == 200
    assert len(behind.seen) == 9


@pytest.mark.real
async def test_a_connection_goes_on_with_other_requests(front: Proxy) -> None:
    wire = await front.wire()
    statuses = []
    for path in (CALL, CALL, "/base/hub/api", CALL):
        wire.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        statuses.append((await wire.answer()).status)
    assert statuses == [200, 424, 200, 424]


async def _tab(front: Proxy, number: int) -> list[int]:
    """Do what a tab does whose server is gone: call, open a websocket, save; return the statuses."""
    wire = await front.wire()
    try:
        wire.send(f"GET {CALL}?{number} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        call = await wire.answer()
        wire.send(
            "\r\n".join([f"GET {CALL}/{number}/channels HTTP/1.1", "Host: h", *UPGRADE, "", ""]).encode()
        )
        upgrade = await wire.answer()
        return [call.status, upgrade.status, (await _ask(front, "PUT", CALL, body=b"x")).status]
    finally:
        wire.close()


@pytest.mark.real
async def test_a_thousand_tabs_cost_the_hub_a_handful_and_a_start_shows_at_once(
    front: Proxy, behind: Backend
) -> None:
    turns = asyncio.Semaphore(100)

    async def tab(number: int) -> list[int]:
        async with turns:
            return await _tab(front, number)

    baseline = front.descriptors()
    loop = asyncio.get_running_loop()
    began = loop.time()
    statuses = [status for found in await asyncio.gather(*map(tab, range(1000))) for status in found]
    heard = len(behind.seen)
    assert 1 <= heard <= 1 + (loop.time() - began) / 5
    assert sorted(set(statuses)) == [200, 424]
    assert statuses.count(200) == heard
    async with backend() as server:
        await front.route("/base/user/ada", server.url)
        assert await _tab(front, 0) == [200, 200, 200]
        assert (await front.get("/base/user/ada/upgrade", *UPGRADE)).status == 101
        assert (await front.api("DELETE", "/api/routes/base/user/ada")).status == 204
    assert (await front.get(CALL, *UPGRADE)).status == 424
    await until(lambda: front.descriptors() <= baseline, "nothing is left open")


@pytest.mark.real
async def test_it_works_with_a_host_in_front_of_each_route(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--host-routing") as front:
        await front.route("/h/", behind.url, hub=True, servers="/user/")
        assert (await front.get("/user/ada/api/x")).status == 200
        answer = await front.get("/user/ada/api/x")
        assert answer.status == 424
        assert "/user/ada/" in str(answer.json()["message"])
