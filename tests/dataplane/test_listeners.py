"""What else a running proxy listens on: Unix sockets, metrics, the redirect; and how long it waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.harness import DEADLINE, TOKEN, Answer, Backend, Wire, command, proxy, until
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real


async def _ask_socket(path: Path, raw: bytes) -> Answer:
    wire = Wire(*await asyncio.open_unix_connection(path))
    try:
        wire.send(raw)
        return await wire.answer()
    finally:
        wire.close()


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return path.exists() and probe.connect_ex(str(path)) == 0


@contextlib.asynccontextmanager
async def _on_sockets(directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a proxy that has no port at all."""
    names = ("socket", "api-socket", "metrics-socket")
    flags = [word for name in names for word in (f"--{name}", str(directory / name))]
    # Which of several took a connection is chance.
    flags += ["--workers", "1"]
    environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN}
    process = await asyncio.create_subprocess_exec(*command(*flags), env=environment)
    try:
        await until(lambda: all(_answers(directory / name) for name in names), "the sockets answer")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), DEADLINE)


async def _refusal(path: Path) -> tuple[int, str]:
    """Return the exit status of a proxy that cannot listen on `path`, and what it says."""
    flags = command("--socket", str(path), "--api-port", "0")
    process = await asyncio.create_subprocess_exec(*flags, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode or 0, said.decode()


async def test_every_side_may_be_a_unix_socket(tmp_path: Path, behind: Backend) -> None:
    server = await asyncio.start_unix_server(behind.accept, tmp_path / "server.sock")
    target = f"http+unix://{str(tmp_path / 'server.sock').replace('/', '%2F')}/pre"
    body = f'{{"target": "{target}"}}'
    async with server, _on_sockets(tmp_path):
        head = f"POST /api/routes/u HTTP/1.1\r\nHost: h\r\nAuthorization: token {TOKEN}\r\n"
        raw = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        assert (await _ask_socket(tmp_path / "api-socket", raw)).status == 201
        for _ in range(2):
            answer = await _ask_socket(tmp_path / "socket", _get("/u/x"))
            assert answer.json()["line"] == "GET /pre/u/x HTTP/1.1"
        assert behind.seen[0].one("x-forwarded-for") == "127.0.0.1"
        assert behind.connections == 1
        metrics = await _ask_socket(tmp_path / "metrics-socket", _get("/metrics"))
        assert b"requests_web 2\n" in metrics.body
    assert not (tmp_path / "socket").exists()


async def test_a_left_over_socket_is_taken_over_and_one_in_use_is_not(tmp_path: Path) -> None:
    async with _on_sockets(tmp_path) as process:
        code, said = await _refusal(tmp_path / "socket")
        assert code == 5
        assert "something is there already" in said
        process.kill()
        await process.wait()
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    async with _on_sockets(tmp_path):
        assert (await _ask_socket(tmp_path / "socket", _get("/_chp_healthz"))).status == 200


async def test_a_file_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "socket").write_text("precious")
    assert (await _refusal(tmp_path / "socket"))[0] == 5
    assert (tmp_path / "socket").read_text() == "precious"


METRICS = {
    "api_route_get 1",
    "api_route_add 2",
    "api_route_delete 1",
    "requests_ws 1",
    "requests_web 3",
    'requests_proxy{status="200"} 2',
    'requests_proxy{status="404"} 1',
    'requests_proxy{status="503"} 1',
    'requests_api{status="200"} 1',
    'requests_api{status="201"} 2',
    'requests_api{status="204"} 1',
    "find_target_for_req_count 4",
    "last_activity_updating_count 2",
}


async def test_metrics_under_chps_names(tmp_path: Path, behind: Backend) -> None:
    port = free_port()
    async with proxy(tmp_path, "--metrics-ip", "127.0.0.1", "--metrics-port", str(port)) as front:
        await front.route("/user/u", behind.url)
        await front.route("/user/dead", "http://127.0.0.1:9")
        await front.get("/user/u/x")
        await front.get("/user/u/x")
        await front.get("/none")
        await front.get("/user/dead/", "Connection: Upgrade", "Upgrade: websocket")
        await front.api("GET", "/api/routes/user/u")
        await front.api("DELETE", "/api/routes/user/u")
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        wire.send(_get("/metrics"))
        answer = await wire.answer()
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = set(answer.body.decode().splitlines())
        assert lines >= METRICS
        memory = re.search(rb"^process_resident_memory_bytes (\d+)$", answer.body, re.MULTILINE)
        assert memory is not None
        assert int(memory[1]) > 1_000_000
        wire.send(_get("/other"))
        assert (await wire.answer()).status == 404
        wire.close()


async def test_silence_of_a_server_is_503(tmp_path: Path, behind: Backend) -> None:
    # Long enough for the server of the test, which answers the last request, to get its turn.
    async with proxy(tmp_path, "--proxy-timeout", "2000") as front:
        await front.route("/user/u", behind.url)
        assert (await front.get("/user/u/never")).status == 503
        await until(lambda: behind.open == 0, "the server's connection is closed")
        assert (await front.get("/user/u/x")).status == 200


async def test_an_upgrade_may_be_silent(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--proxy-timeout", "2000", "--timeout", "60000") as front:
        await front.route("/user/u", behind.url)
        wire = await front.wire()
        wire.send(b"GET /user/u/upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
        assert (await wire.head())[0] == 101
        assert (await front.get("/user/u/never")).status == 503
        wire.send(b"still there")
        assert await wire.reader.readexactly(11) == b"still there"


async def test_a_silent_request_is_cut(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--timeout", "300") as front:
        await front.route("/user/u", behind.url)
        wire = await front.wire()
        wire.send(_get("/user/u/never"))
        assert await wire.rest() == b""
        await until(lambda: behind.open == 0, "the server's connection is closed")


async def test_an_idle_connection_is_closed(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--keep-alive-timeout", "1000") as front:
        await front.route("/user/u", behind.url)
        wire = await front.wire()
        wire.send(_get("/user/u/x"))
        assert (await wire.answer()).status == 200
        assert await wire.rest() == b""


async def test_pages_from_a_directory(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "404.html").write_text("not here")
    (pages / "error.html").write_text("something else")
    async with proxy(tmp_path, "--error-path", str(pages)) as front:
        await front.route("/user/dead", "http://127.0.0.1:9")
        page = await front.get("/none", "Accept: text/html")
        assert (page.status, page.body) == (404, b"not here")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        page = await front.get("/user/dead", "Accept: text/html")
        assert (page.status, page.body, page.headers["retry-after"]) == (503, b"something else", "5")
        assert (await front.get("/none")).json()["status"] == 404
        (pages / "404.html").unlink()
        (pages / "error.html").unlink()
        assert b"Nothing is served" in (await front.get("/none", "Accept: text/html")).body


async def test_a_socket_for_both_families_tells_addresses_as_each_has_them(
    tmp_path: Path, behind: Backend
) -> None:
    async with proxy(tmp_path, "--ip", "") as front:
        await front.route("/user/u", behind.url)
        for address in ("127.0.0.1", "::1"):
            reader, writer = await asyncio.open_connection(address, front.port)
            writer.write(b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await Wire(reader, writer).answer()).status == 200
            writer.close()
    assert [seen.one("x-forwarded-for") for seen in behind.seen] == ["127.0.0.1", "::1"]


async def test_the_process_id_is_in_a_file_as_long_as_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "proxy.pid"
    async with proxy(tmp_path, "--pid-file", str(file)) as front:
        assert int(file.read_text()) == front.process.pid
        assert await front.stop() == 0
    assert not file.exists()


@pytest.mark.parametrize("level", ["debug", "info", "warn", "error"])
async def test_the_log_has_what_is_at_least_as_important(tmp_path: Path, level: str) -> None:
    log = tmp_path / "log"
    flags = ("--log-level", level, "--log-file", str(log), "--ssl-allow-rc4")
    async with proxy(tmp_path, *flags) as front:
        # It is known to listen before it has said so.
        assert await front.stop() == 0
    said = log.read_text()
    assert ("Proxying" in said) == (level in ("debug", "info"))
    assert ("--ssl-allow-rc4" in said) == (level != "error")


async def test_notes_are_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with proxy(tmp_path, "--ssl-allow-rc4", "--storage-backend", "x", "--log-file", str(log)):
        await until(lambda: "--storage-backend" in log.read_text(), "the notes are written")
        assert "--ssl-allow-rc4: RC4 is broken" in log.read_text()
