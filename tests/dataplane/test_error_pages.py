"""What is answered in place of a server that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataplane.harness import Answer, Backend, Proxy, backend, proxy, until

pytestmark = pytest.mark.real

DEAD = "http://127.0.0.1:9"
HTML = "Accept: text/html,*/*"


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


async def test_an_upgrade_gets_an_empty_answer_and_a_close(dead: Proxy) -> None:
    baseline = dead.descriptors()
    wire = await dead.wire()
    wire.send(b"GET /user/dead/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
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


async def _with_pages(tmp_path: Path, hub: Backend, request: str, *headers: str) -> Answer:
    async with proxy(tmp_path, "--error-target", hub.url + "/hub/error") as front:
        await front.route("/user/dead", DEAD)
        return await front.get(request, *headers)


async def test_the_hubs_page_is_served_with_the_original_status(tmp_path: Path) -> None:
    async with backend() as hub:
        hub.canned["503"] = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nSet-Cookie: a\r\nContent-Length: 4\r\n\r\npage"
        )
        answer = await _with_pages(tmp_path, hub, "/user/dead/x?y=1&z", HTML)
        assert (answer.status, answer.body, answer.headers["content-type"]) == (503, b"page", "text/x")
        assert "set-cookie" not in answer.headers
        assert hub.seen[0].line == "GET /hub/error/503?url=%2Fuser%2Fdead%2Fx%3Fy%3D1%26z HTTP/1.1"


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
