"""An upgrade is let in nowhere where the same request without one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataplane.authority import Authority
from tests.dataplane.harness import TOKEN, Answer, Backend, Proxy, proxy
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real

UPGRADES = {
    "websocket": (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: a",
    ),
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "anything": ("Connection: keep-alive, Upgrade", "Upgrade: x"),
}
#: HTTP/2 in clear is not gone on with: such a request is a plain one.
upgrades = pytest.mark.parametrize("upgrade", UPGRADES)
true_upgrades = pytest.mark.parametrize("upgrade", ["websocket", "anything"])


async def _both(one: Proxy, path: str, upgrade: str, *headers: str) -> tuple[Answer, Answer]:
    plain = await one.get(path, *headers)
    return plain, await one.get(path, *headers, *UPGRADES[upgrade])


@upgrades
@pytest.mark.parametrize(
    "authorization", [(), ("Authorization: token wrong",), (f"Authorization: token {TOKEN}",)]
)
async def test_the_rest_api(front: Proxy, upgrade: str, authorization: tuple[str, ...]) -> None:
    api = Proxy(front.process, front.api_port, front.api_port, front.wires)
    for path in ("/api/routes", "/api/routes/user/u", "/api/status", "/api/other"):
        plain, asked = await _both(api, path, upgrade, *authorization)
        assert plain.status == asked.status
        assert (plain.status == 403) == (TOKEN not in "".join(authorization))
    # Nothing that is sent as if a tunnel were open is taken for one, or for a call that is let in.
    wire = await api.wire()
    lines = ("POST /api/shutdown HTTP/1.1", "Host: h", "Content-Length: 0", *UPGRADES[upgrade], "", "")
    wire.send("\r\n".join(lines).encode() + b"DELETE /api/routes/user/u HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await wire.answer()).status == 403
    assert (await front.api("GET", "/api/routes/user/u")).status == 200


@upgrades
async def test_health_paths_and_routes_that_are_not_there(
    front: Proxy, behind: Backend, upgrade: str
) -> None:
    await front.route("/dead", f"http://127.0.0.1:{free_port()}")
    for path, status in {
        "/_chp_healthz": 200,
        "/nowhere": 404,
        "/user": 404,
        "/dead/x": 503,
        "/user/u/../v": 400,
        "/user%2Fu": 400,
        "//user/u": 400,
    }.items():
        plain, asked = await _both(front, path, upgrade)
        assert (plain.status, asked.status) == (status, status), path
    assert behind.seen == []


@upgrades
async def test_a_server_that_refuses_is_heard(front: Proxy, behind: Backend, upgrade: str) -> None:
    for status in (302, 401, 403, 404, 500):
        behind.canned["guarded"] = b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status
        plain, asked = await _both(front, "/user/u/guarded", upgrade)
        assert (plain.status, asked.status) == (status, status)


@true_upgrades
async def test_what_follows_a_refused_upgrade_reaches_nobody(
    front: Proxy, behind: Backend, upgrade: str
) -> None:
    behind.canned["guarded"] = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"
    for path in ("/user/u/guarded", "/nowhere", "/_chp_healthz"):
        wire = await front.wire()
        asked = "\r\n".join((f"GET {path} HTTP/1.1", "Host: h", *UPGRADES[upgrade], "", ""))
        # In one piece: what came after the close would be answered with a reset, and end the reading early.
        wire.send(asked.encode() + b"GET /user/u/smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
        await wire.answer()
        assert await wire.rest() == b""
    assert not [seen for seen in behind.seen if "smuggled" in seen.line]


@true_upgrades
async def test_stopped_servers(front: Proxy, behind: Backend, upgrade: str) -> None:
    await front.route("/", behind.url, hub=True, servers="/user/")
    program = "Accept: application/json"
    assert (await front.get("/user/gone/api/status", program)).status == 200, "the hub hears of the first one"
    behind.seen.clear()
    plain, asked = await _both(front, "/user/gone/api/status", upgrade, program)
    assert (plain.status, asked.status) == (424, 424)
    # A visit is the hub's to judge; it has no use for an upgrade.
    assert (await front.get("/user/gone/", "Accept: text/html", *UPGRADES[upgrade])).status == 424
    assert behind.seen == []


@true_upgrades
async def test_error_pages_of_the_hub(tmp_path: Path, behind: Backend, upgrade: str) -> None:
    behind.canned |= {
        str(status): b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage" for status in (404, 503)
    }
    async with proxy(tmp_path, "--error-target", behind.url) as front:
        await front.route("/dead", f"http://127.0.0.1:{free_port()}")
        for path, status in {"/nowhere": 404, "/dead/x": 503}.items():
            plain, asked = await _both(front, path, upgrade, "Accept: text/html")
            assert (plain.status, plain.body) == (status, b"page")
            assert (asked.status, asked.body) == (status, b"")
    assert len(behind.seen) == 2


@upgrades
async def test_hosts(tmp_path: Path, behind: Backend, upgrade: str) -> None:
    async with proxy(tmp_path, "--host-routing") as front:
        await front.route("/u.example", behind.url)
        for host, status in {
            "u.example": 200,
            "v.example": 404,
            "example": 404,
            "u.example.evil": 404,
        }.items():
            lines = ("GET /x HTTP/1.1", f"Host: {host}")
            plain = await front.ask("\r\n".join((*lines, "", "")).encode())
            asked = await front.ask("\r\n".join((*lines, *UPGRADES[upgrade], "", "")).encode())
            assert (plain.status, asked.status) == (status, status), host


@upgrades
async def test_the_side_listeners(tmp_path: Path, upgrade: str) -> None:
    metrics, redirect = free_port(), free_port()
    flags = ("--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics), "--redirect-port", str(redirect))
    site = Authority(tmp_path).sign("site")
    async with proxy(tmp_path, *site.flags(), *flags) as front:
        for port, expected in ((metrics, {"/metrics": 200, "/other": 404}), (redirect, {"/x": 301})):
            side = Proxy(front.process, port, front.api_port)
            for path, status in expected.items():
                plain, asked = await _both(side, path, upgrade)
                assert (plain.status, asked.status) == (status, status), path


async def test_a_tunnel_is_open_only_after_the_server_said_so(front: Proxy, behind: Backend) -> None:
    agreed = b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"
    behind.canned["fine"] = agreed
    wire = await front.wire()
    wire.send("\r\n".join(("GET /user/u/fine HTTP/1.1", "Host: h", *UPGRADES["websocket"], "", "")).encode())
    wire.send(b"GET /user/u/smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await wire.answer()).status == 200
    assert await wire.rest() == b""
    assert [seen.line for seen in behind.seen] == ["GET /user/u/fine HTTP/1.1"]
