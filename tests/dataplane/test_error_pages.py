"""What is answered in place of a server that is not there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.harness import DEADLINE, Answer, Backend, Proxy, backend, proxy, until
from tests.rigs.systems import free_port

pytestmark = [pytest.mark.real, pytest.mark.parametrize("workers", [1, 2])]

DEAD = "http://127.0.0.1:9"
HTML = "Accept: text/html,*/*"
UPGRADE = b"GET /user/dead/ws/%d HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.fixture
async def dead(front: Proxy) -> Proxy:
    await front.route("/user/dead", DEAD)
    return front


async def test_a_browser_gets_a_page_that_loads_itself_again(dead: Proxy) -> None:
    answer = await dead.get("/user/dead/lab", HTML)
    assert answer.status == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["retry-after"] == "5"
    assert b"not reachable" in answer.body
    assert b'http-equiv="refresh"' in answer.body


@pytest.mark.parametrize(("path", "header"), [("/user/dead/x", "A: b"), ("/user/dead/api/x", HTML)])
async def test_a_program_gets_json(dead: Proxy, path: str, header: str) -> None:
    answer = await dead.get(path, header)
    assert (answer.status, answer.json()["status"]) == (503, 503)
    assert answer.headers["retry-after"] == "5"


async def test_a_name_that_no_host_can_have_is_one_that_is_not_reachable(front: Proxy) -> None:
    await front.route("/user/dead", "http://a..b:80")
    assert (await front.get("/user/dead/x")).status == 503


async def test_an_upgrade_gets_an_empty_answer_and_a_close(dead: Proxy) -> None:
    baseline = dead.descriptors()
    wire = await dead.wire()
    wire.send(UPGRADE % 1)
    answer = await wire.answer()
    assert (answer.status, answer.body) == (503, b"")
    assert await wire.rest() == b""
    await until(lambda: dead.descriptors() <= baseline, "nothing is left open")


async def test_no_route_is_404_and_the_connection_goes_on(front: Proxy) -> None:
    wire = await front.wire()
    for _ in range(2):
        wire.send(b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await wire.answer()).status == 404
    wire.send(b"HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await wire.answer(head_only=True)).status == 404
    wire.send(b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await wire.answer()).status == 200


async def test_health(front: Proxy) -> None:
    answer = await front.get("/_chp_healthz")
    assert (answer.status, answer.body) == (200, b'{"status":"OK"}')


async def test_a_hub_that_restarts_is_named(tmp_path: Path) -> None:
    flags = ("--default-target", DEAD, "--error-target", DEAD + "/hub/error")
    async with proxy(tmp_path, *flags) as front:
        page = await front.get("/hub/home", HTML)
        assert (page.status, page.headers["retry-after"]) == (503, "1")
        assert b"The hub is restarting" in page.body
        assert (await front.get("/hub/api/")).headers["retry-after"] == "1"
        await front.route("/user/dead", "http://127.0.0.1:10")
        assert b"not reachable" in (await front.get("/user/dead/", HTML)).body


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nSet-Cookie: a\r\nContent-Length: 4\r\n\r\npage"


@contextlib.asynccontextmanager
async def _pages(tmp_path: Path, hub: Backend, seconds: float) -> AsyncIterator[Proxy]:
    """Run a proxy with a dead server whose pages come from the hub and are kept so long, by each worker."""
    hub.canned["503"] = PAGE
    flags = ("--error-target", hub.url + "/hub/error", "--error-page-cache", str(seconds))
    async with proxy(tmp_path, *flags, workers=1) as front:
        await front.route("/user/dead", DEAD)
        yield front


async def _with_pages(tmp_path: Path, hub: Backend, request: str, *headers: str) -> Answer:
    async with _pages(tmp_path, hub, 600) as front:
        return await front.get(request, *headers)


@pytest.mark.parametrize(
    ("seconds", "url"), [(600, "%2Fuser%2Fdead%2F"), (0, "%2Fuser%2Fdead%2Fx%3Fy%3D1%26z")]
)
async def test_the_hubs_page_is_served_with_the_original_status(
    tmp_path: Path, behind: Backend, seconds: int, url: str
) -> None:
    """The hub is told the visitor's own address only of a page that nobody else sees."""
    async with _pages(tmp_path, behind, seconds) as front:
        for _ in range(2):
            answer = await front.get("/user/dead/x?y=1&z", HTML, "Cookie: mine=1")
            assert (answer.status, answer.body, answer.headers["content-type"]) == (503, b"page", "text/x")
            assert "set-cookie" not in answer.headers
    lines = [f"GET /hub/error/503?url={url} HTTP/1.1"]
    assert [seen.line for seen in behind.seen] == lines * (1 if seconds else 2)
    assert not any(seen.all("cookie") for seen in behind.seen)


async def _tab(front: Proxy, number: int) -> int:
    """Look at a dead server like an open tab: its page, a call and a websocket; return how often."""
    wire = await front.wire()
    wire.send(b"GET /user/dead/lab/%d HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n" % number)
    page = await wire.answer()
    wire.send(b"GET /user/dead/api/kernels/%d HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n" % number)
    call = await wire.answer()
    wire.send(UPGRADE % number)
    upgrade = await wire.answer()
    for answer in (page, call, upgrade):
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert (page.body, call.json()["status"], upgrade.body) == (b"page", 503, b"")
    assert upgrade.headers["connection"] == "close"
    assert await wire.rest() == b""
    return 3


async def test_a_thousand_tabs_of_a_dead_server_cost_the_hub_one_page(
    tmp_path: Path, behind: Backend
) -> None:
    async with _pages(tmp_path, behind, 600) as front:
        baseline = front.descriptors()
        turns = asyncio.Semaphore(100)

        async def tab(number: int) -> int:
            async with turns:
                return await _tab(front, number)

        assert sum(await asyncio.gather(*map(tab, range(1000)))) == 3000
        assert behind.connections == 1
        await until(lambda: front.descriptors() <= baseline, "nothing is left open")


async def test_a_page_is_kept_for_a_route_a_target_and_a_status(tmp_path: Path, behind: Backend) -> None:
    behind.canned["404"] = PAGE
    async with _pages(tmp_path, behind, 600) as front:
        await front.route("/user/other", DEAD)
        for path in ("/user/dead", "/user/other", "/none", "/user/dead/"):
            assert (await front.get(path, HTML)).body == b"page"
        assert behind.connections == 3
        await front.route("/user/dead", "http://127.0.0.1:10")
        await front.get("/user/dead", HTML)
        assert behind.connections == 4
        assert (await front.api("DELETE", "/api/routes/user/dead")).status == 204
        await front.route("/user/dead", "http://127.0.0.1:10")
        await front.get("/user/dead", HTML)
        assert behind.connections == 5


async def test_a_page_is_fetched_again_after_a_while(tmp_path: Path, behind: Backend) -> None:
    async with _pages(tmp_path, behind, 0.05) as front:
        async with asyncio.timeout(DEADLINE):
            while behind.connections < 3:
                assert (await front.get("/user/dead", HTML)).body == b"page"


async def test_a_server_that_comes_back_is_reached_at_once(tmp_path: Path, behind: Backend) -> None:
    port = free_port()
    async with _pages(tmp_path, behind, 600) as front:
        await front.route("/user/back", f"http://127.0.0.1:{port}")
        for _ in range(3):
            assert (await front.get("/user/back/x", HTML)).body == b"page"
            assert (await front.get("/user/back/api/x")).status == 503
            async with backend(port=port):
                assert (await front.get("/user/back/x", HTML)).status == 200
                assert (await front.get("/user/back/api/x")).status == 200


async def test_a_server_that_never_accepts_is_given_up(tmp_path: Path) -> None:
    """Its queue is full: nothing answers the connection, as with a machine that is gone."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with proxy(tmp_path, "--connect-timeout", "0.2") as front:
            await front.route("/user/dead", f"http://127.0.0.1:{full.getsockname()[1]}")
            # Without the flag it would take ten seconds.
            async with asyncio.timeout(9):
                assert (await front.get("/user/dead/api/x")).json()["status"] == 503
            wire = await front.wire()
            wire.send(UPGRADE % 1)
            assert (await wire.answer()).headers["retry-after"] == "5"
            assert await wire.rest() == b""


async def test_a_hub_that_answers_nonsense_is_replaced(tmp_path: Path) -> None:
    async with backend() as hub:
        hub.canned["404"] = b"nonsense\r\n\r\n"
        answer = await _with_pages(tmp_path, hub, "/none", HTML)
        assert answer.status == 404
        assert b"Nothing is served" in answer.body


async def test_neither_upgrades_nor_programs_ask_the_hub(tmp_path: Path) -> None:
    async with backend() as hub:
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", HTML)
        assert (await _with_pages(tmp_path, hub, "/user/dead/ws", *upgrade)).body == b""
        assert (await _with_pages(tmp_path, hub, "/user/dead/api/x", HTML)).status == 503
        assert hub.connections == 0
