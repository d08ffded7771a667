"""The REST API of a running proxy, and what its routes do to the traffic."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.dataplane.harness import DEADLINE, TOKEN, Backend, Proxy, backend, command, proxy, until

pytestmark = [pytest.mark.real, pytest.mark.parametrize("workers", [1, 2])]

TARGET = {"target": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/routes", None, 200),
        ("GET", "/api/routes/", None, 200),
        ("GET", "/api/routes/user/u", None, 200),
        ("GET", "/api/routes/user/none", None, 404),
        ("GET", "/api/routes?inactiveSince=2020-01-01T00:00:00Z", None, 200),
        ("GET", "/api/routes?inactive_since=2020-01-01T00:00:00.000Z", None, 200),
        ("GET", "/api/routes?inactiveSince=yesterday", None, 400),
        ("POST", "/api/routes/user/v", TARGET, 201),
        ("POST", "/api/routes", TARGET, 201),
        ("POST", "/api/routes/user/v", {}, 400),
        ("POST", "/api/routes/user/v", {"target": 5}, 400),
        ("POST", "/api/routes/user/v", {"target": "ftp://h"}, 400),
        ("POST", "/api/routes/user/v", b"{", 400),
        ("POST", "/api/routes/user/v", b"[]", 400),
        ("DELETE", "/api/routes/user/u", None, 204),
        ("DELETE", "/api/routes/user/none", None, 404),
        ("PATCH", "/api/routes/user/u", {}, 405),
        ("PUT", "/api/routes/user/u", TARGET, 405),
        ("PUT", "/api/routes", {"routes": {"/user/u": TARGET}}, 204),
        ("PUT", "/api/routes", {"routes": {"/user/u": {}}}, 400),
        ("PUT", "/api/routes", {}, 400),
        ("GET", "/api/status", None, 200),
        ("POST", "/api/status", None, 405),
        ("GET", "/api/shutdown", None, 405),
        ("GET", "/api/other", None, 404),
        ("GET", "/", None, 404),
    ],
)
async def test_the_contract(front: Proxy, method: str, path: str, body: object, status: int) -> None:
    assert (await front.api(method, path, body)).status == status


@pytest.mark.parametrize("authorization", [None, "", "token wrong", "token ", f"basic {TOKEN}", TOKEN])
async def test_without_the_token_nothing_happens(front: Proxy, authorization: str | None) -> None:
    for method, path in (("DELETE", "/api/routes/user/u"), ("POST", "/api/shutdown"), ("GET", "/api/routes")):
        answer = await front.api(method, path, authorization=authorization)
        assert (answer.status, answer.body) == (403, b"")
    assert (await front.api("GET", "/api/routes/user/u")).status == 200


async def test_a_route_tells_its_target_data_and_activity(front: Proxy) -> None:
    await front.route("/user/x%40y/", "http://127.0.0.1:1", user="x@y", jupyterhub=True)
    listed = (await front.api("GET", "/api/routes")).json()
    route = listed["/user/x@y"]
    assert isinstance(route, dict)
    assert (route["target"], route["user"], route["jupyterhub"]) == ("http://127.0.0.1:1", "x@y", True)
    assert len(route["last_activity"]) == len("2020-01-01T00:00:00.000Z")
    assert (await front.api("GET", "/api/routes?inactiveSince=2020-01-01T00:00:00Z")).json() == {}
    later = (await front.api("GET", "/api/routes?inactive_since=2999-01-01T00:00:00Z")).json()
    assert sorted(later) == ["/user/u", "/user/x@y"]


async def test_what_counts_as_activity(front: Proxy, behind: Backend) -> None:
    async def moves(path: str, raw: bytes, status: int) -> bool:
        behind.canned[path] = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
        before = await front.activity("/user/u")
        assert (await front.ask(raw)).status == status
        return await front.activity("/user/u") != before

    get = b"GET /user/u/%b HTTP/1.1\r\nHost: h\r\n\r\n"
    assert await moves("ok", get % b"ok", 200)
    assert not await moves("moved", get % b"moved", 302)
    assert not await moves("missing", get % b"missing", 404)
    assert not await moves("broken", get % b"broken", 500)
    post = b"POST /user/u/denied HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"
    assert await moves("denied", post, 403)


async def test_tunnel_data_is_activity(front: Proxy) -> None:
    wire = await front.wire()
    wire.send(b"GET /user/u/upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
    await wire.head()
    before = await front.activity("/user/u")
    wire.send(b"ping")
    assert await wire.reader.readexactly(4) == b"ping"
    assert await front.activity("/user/u") > before


async def test_changes_of_the_table_leave_open_tunnels_alone(front: Proxy) -> None:
    wire = await front.wire()
    wire.send(b"GET /user/u/upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
    await wire.head()
    assert (await front.api("PUT", "/api/routes", {"routes": {"/other": TARGET}})).status == 204
    assert list((await front.api("GET", "/api/routes")).json()) == ["/other"]
    wire.send(b"still")
    assert await wire.reader.readexactly(5) == b"still"
    assert (await front.get("/user/u/x")).status == 404


async def test_a_restart_serves_the_routes_it_remembers(tmp_path: Path, behind: Backend) -> None:
    storage = ("--storage", str(tmp_path / "routes"))
    async with proxy(tmp_path, *storage) as first:
        for name in ("gone", "t", "u"):
            await first.route(f"/user/{name}", behind.url, user=name)
        assert (await first.api("DELETE", "/api/routes/user/gone")).status == 204
        # At once: what was answered is in the file.
        first.process.kill()
        await first.process.wait()
    async with proxy(tmp_path, *storage) as second:
        assert (await second.get("/user/u/x")).status == 200
        assert list((await second.api("GET", "/api/routes")).json()) == ["/user/t", "/user/u"]
        assert (await second.api("GET", "/api/routes/user/u")).json()["user"] == "u"
        routes = {"/user/v": {"target": behind.url}}
        assert (await second.api("PUT", "/api/routes", {"routes": routes})).status == 204
        second.process.kill()
        await second.process.wait()
    async with proxy(tmp_path, *storage) as third:
        assert list((await third.api("GET", "/api/routes")).json()) == ["/user/v"]
        await third.get("/user/v/x")
        moment = await third.activity("/user/v")
        assert await third.stop() == 0
    async with proxy(tmp_path, *storage) as fourth:
        assert await fourth.activity("/user/v") == moment


async def test_a_second_process_that_cannot_listen_leaves_the_file_alone(
    tmp_path: Path, behind: Backend
) -> None:
    storage = ("--storage", str(tmp_path / "routes"))
    async with proxy(tmp_path, *storage) as first:
        ports = ("--ip", "127.0.0.1", "--port", "0", "--api-port", str(first.api_port))
        assert (await _failing(*ports, *storage))[0] == 5
        await first.route("/user/u", behind.url)
        first.process.kill()
        await first.process.wait()
    async with proxy(tmp_path, *storage) as second:
        assert (await second.get("/user/u/x")).status == 200


async def test_status_and_shutdown(front: Proxy, tmp_path: Path) -> None:
    status = (await front.api("GET", "/api/status")).json()
    assert status["pid"] == front.process.pid
    assert status["public"] == f"http://127.0.0.1:{front.port}"
    assert status["routes"] == 1
    assert (await front.api("POST", "/api/shutdown")).status == 202
    assert await asyncio.wait_for(front.process.wait(), DEADLINE) == 0
    assert not (tmp_path / "status.json").exists()


async def test_hangup_and_a_lost_standard_error_do_not_matter(tmp_path: Path) -> None:
    async with backend() as behind:
        status_file = tmp_path / "status.json"
        process = await asyncio.create_subprocess_exec(
            *command("--ip", "127.0.0.1", "--port", "0", "--api-port", "0"),
            *("--status-file", str(status_file), "--default-target", behind.url),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        await until(status_file.exists, "the proxy listens")
        assert process.stderr is not None
        await process.stderr.readline()
        process.stderr._transport.close()  # type: ignore[attr-defined]
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE) == 0


async def _failing(*flags: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*command(*flags), stderr=asyncio.subprocess.PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode, errors.decode()


async def test_a_port_in_use_is_one_line_and_status_5(front: Proxy) -> None:
    code, errors = await _failing("--ip", "127.0.0.1", "--port", str(front.port), "--api-port", "0")
    assert code == 5
    assert errors == f"carrel-proxy: cannot listen on 127.0.0.1 port {front.port}: the port is in use\n"


@pytest.mark.parametrize("flags", [["--nonsense"], ["--port", "x"], ["--default-target", "ftp://x"]])
async def test_bad_usage_is_status_2(flags: list[str]) -> None:
    code, errors = await _failing(*flags)
    assert code == 2
    assert "Traceback" not in errors
    assert flags[0] in errors


async def test_a_storage_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    code, errors = await _failing("--port", "0", "--storage", str(tmp_path / "missing" / "routes"))
    assert code == 1
    assert errors.count("\n") == 1
