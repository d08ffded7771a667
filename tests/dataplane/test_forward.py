"""HTTP through a running proxy: framing, streaming, upgrades, and what is left open afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.dataplane.harness import Backend, Proxy, backend, proxy, until

pytestmark = [pytest.mark.real, pytest.mark.parametrize("workers", [1, 2])]

GET = b"GET /user/u/%b HTTP/1.1\r\nHost: example.org:8000\r\n\r\n"
UPGRADE = b"GET /user/u/%b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
)


async def test_connections_are_kept_on_both_sides(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    for number in range(5):
        wire.send(GET % str(number).encode())
        answer = await wire.answer()
        assert answer.json()["line"] == f"GET /user/u/{number} HTTP/1.1"
    assert behind.connections == 1


async def test_pipelined_requests_are_answered_in_order(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    post = b"POST /user/u/p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    wire.send(GET % b"1" + post + b"GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n" + GET % b"2" + GET % b"3")
    lines = [(await wire.answer()).json().get("line") for _ in range(5)]
    paths = [line.split()[1] if isinstance(line, str) else None for line in lines]
    assert paths == ["/user/u/1", "/user/u/p", None, "/user/u/2", "/user/u/3"]
    assert behind.seen[1].body == b"abc"


async def test_thousands_of_pipelined_short_answers(front: Proxy) -> None:
    wire = await front.wire()
    wire.send(GET % b"1" + b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n" * 3000)
    assert (await wire.answer()).status == 200
    assert {(await wire.answer()).status for _ in range(3000)} == {404}


async def test_headers_that_the_server_sees(front: Proxy, behind: Backend) -> None:
    extra = b"Connection: X-Secret, X-Forwarded-For\r\nX-Secret: s\r\n"
    extra += b"Keep-Alive: 5\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"
    assert (await front.ask((GET % b"h")[:-2] + extra)).status == 200
    seen = behind.seen[0]
    assert seen.one("host") == "example.org:8000"
    assert seen.one("x-forwarded-for") == "9.9.9.9,127.0.0.1"
    assert seen.one("x-forwarded-proto") == "http"
    assert seen.one("x-forwarded-port") == "8000"
    assert seen.one("x-forwarded-host") == "example.org:8000"
    assert not seen.all("x-secret")
    assert not seen.all("keep-alive")


async def test_the_path_arrives_unchanged(front: Proxy, behind: Backend) -> None:
    await front.get("/user/u/a%2Fb%40c//d;x=1?q=%2F..&r=/../")
    assert behind.seen[0].line == "GET /user/u/a%2Fb%40c//d;x=1?q=%2F..&r=/../ HTTP/1.1"


async def test_a_targets_own_path_comes_first(front: Proxy, behind: Backend) -> None:
    await front.route("/user/base", behind.url + "/prefix/")
    await front.get("/user/base/x")
    assert behind.seen[0].line == "GET /prefix/user/base/x HTTP/1.1"


async def test_chunked_request_and_answer(front: Proxy, behind: Backend) -> None:
    behind.canned["c"] = CHUNKED
    head = b"POST /user/u/c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await front.ask(head + b"4\r\nwxyz\r\n1\r\n!\r\n0\r\n\r\n")
    assert answer.body == b"abcde"
    assert behind.seen[0].body == b"wxyz!"


@pytest.mark.parametrize(
    ("name", "raw", "body"),
    [
        ("nocontent", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("same", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", b""),
        ("bare", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        ("old", b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        ("hints", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
async def test_answers_of_every_framing(
    front: Proxy, behind: Backend, name: str, raw: bytes, body: bytes
) -> None:
    behind.canned[name] = raw
    wire = await front.wire()
    for _ in range(2):
        wire.send(GET % name.encode())
        answer = await wire.answer()
        assert (answer.status, answer.body) == (int(raw.split()[1]), body)


async def test_head_keeps_the_connection(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    for _ in range(2):
        wire.send(b"HEAD /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await wire.answer(head_only=True)
        assert int(answer.headers["content-length"]) > 0
    wire.send(GET % b"y")
    assert (await wire.answer()).status == 200
    assert behind.connections == 1


async def test_http_1_0_gets_a_body_that_ends_with_the_connection(front: Proxy, behind: Backend) -> None:
    behind.canned["c"] = CHUNKED
    answer = await front.ask(b"GET /user/u/c HTTP/1.0\r\n\r\n")
    assert "transfer-encoding" not in answer.headers
    assert answer.body == b"abcde"


async def test_continue_passes_through(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    head = b"POST /user/u/continue HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    wire.send(head)
    assert (await wire.head())[0] == 100
    wire.send(b"body")
    assert (await wire.answer()).status == 200
    assert behind.seen[0].body == b"body"


async def test_early_hints_pass_through(front: Proxy, behind: Backend) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    behind.canned["h"] = hints * 2 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    wire = await front.wire()
    for _ in range(2):
        wire.send(GET % b"h")
        for _ in range(2):
            assert await wire.head() == (103, {"link": "</a.css>; rel=preload"})
        assert (await wire.answer()).body == b"ok"
    assert behind.connections == 1
    assert (await front.ask(b"GET /user/u/h HTTP/1.0\r\n\r\n")).status == 200


async def test_a_large_download_streams_with_flat_memory(front: Proxy, behind: Backend) -> None:
    await front.get("/user/u/warm")
    before = front.memory()
    wire = await front.wire()
    wire.send(GET % b"stream")
    _, headers = await wire.head()
    total = int(headers["content-length"])
    await until(lambda: behind.streamed > 1_000_000, "the server sends")
    sent = behind.streamed
    wire_is_full = asyncio.get_running_loop().time() + 0.5
    await until(lambda: asyncio.get_running_loop().time() > wire_is_full, "buffers fill")
    assert behind.streamed < total / 2 or behind.streamed == sent
    got, piece = 0, b""
    pattern = bytes(range(256)) * 4096
    while got < total:
        piece = await wire.reader.read(65536)
        offset = got % 256
        assert piece == pattern[offset : offset + len(piece)]
        got += len(piece)
    assert front.memory() - before < 12 * 1024 * 1024


async def test_a_large_upload_waits_for_the_server(front: Proxy, behind: Backend) -> None:
    await front.get("/user/u/warm")
    before = front.memory()
    wire = await front.wire()
    size = 100 * 1024 * 1024
    wire.send(b"PUT /user/u/slowsink HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)

    async def upload() -> None:
        for _ in range(size // 65536):
            wire.send(bytes(65536))
            await wire.writer.drain()

    task = asyncio.ensure_future(upload())
    await until(lambda: len(behind.seen) == 2, "the request arrives")
    assert front.memory() - before < 12 * 1024 * 1024
    behind.gate.set()
    await task
    assert (await wire.answer()).json()["size"] == size
    assert front.memory() - before < 12 * 1024 * 1024
    wire.send(GET % b"after")
    assert (await wire.answer()).status == 200


async def test_an_upgrade_becomes_a_pump(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    wire.send(UPGRADE % b"upgrade" + b"early")
    status, headers = await wire.head()
    assert (status, headers["upgrade"], headers["connection"]) == (101, "chat", "Upgrade")
    assert await wire.reader.readexactly(5) == b"early"
    blob = bytes(range(256)) * 2000
    wire.send(blob)
    assert await wire.reader.readexactly(len(blob)) == blob
    wire.send(b"die")
    assert await wire.rest() == b""
    await until(lambda: behind.open == 0, "the server's end is closed")


@pytest.mark.parametrize("status", [200, 403, 404, 500])
async def test_an_upgrade_that_is_refused_ends_the_connection(
    front: Proxy, behind: Backend, status: int
) -> None:
    baseline = front.descriptors()
    behind.canned["no"] = b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status
    wire = await front.wire()
    wire.send(UPGRADE % b"no")
    answer = await wire.answer()
    assert (answer.status, answer.body) == (status, b"no")
    assert await wire.rest() == b""
    await until(lambda: front.descriptors() <= baseline, "both connections are gone")


async def test_vanishing_clients_free_the_upstream(front: Proxy, behind: Backend) -> None:
    baseline = front.descriptors()
    wires = []
    for request in (GET % b"never", UPGRADE % b"never", UPGRADE % b"upgrade", GET % b"stream"):
        for _ in range(5):
            wire = await front.wire()
            wire.send(request)
            wires.append(wire)
    await until(lambda: behind.open == 20, "all are connected")
    for wire in wires:
        wire.close()
    await until(lambda: behind.open == 0, "the server's ends are closed")
    await until(lambda: front.descriptors() <= baseline, "no descriptor is left")


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000,
    ],
)
async def test_unusable_answers_are_502(front: Proxy, behind: Backend, raw: bytes) -> None:
    behind.canned["bad"] = raw
    assert (await front.get("/user/u/bad")).status == 502


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("cl", b"HTTP/1.1 200 OK\r\nX-Y: content-\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"),
        ("half", b"HTTP/1.1 200 OK\r\nX-Len: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ],
)
async def test_a_truncated_body_never_looks_complete(
    front: Proxy, behind: Backend, name: str, raw: bytes
) -> None:
    behind.canned[name] = raw
    wire = await front.wire()
    wire.send(GET % name.encode())
    assert (await wire.head())[0] == 200
    assert b"\r\n0\r\n\r\n" not in b"\r\n" + await wire.rest()


async def test_a_connection_is_not_kept_for_ever_after_a_long_request(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    wire.send(GET % b"slowsink")
    loop = asyncio.get_running_loop()
    swept = loop.time() + 1.5  # by then the pool was looked at while it held nothing
    await until(lambda: loop.time() > swept, "the request takes long")
    behind.gate.set()
    assert (await wire.answer()).status == 200
    await until(lambda: behind.open == 0, "the server's end is closed")


async def test_a_stale_kept_connection_is_retried_once(front: Proxy, behind: Backend) -> None:
    hangs_up = asyncio.Event()
    count = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")
        hangs_up.set()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    await front.route("/stale", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    wire = await front.wire()
    for _ in range(2):
        wire.send(b"GET /stale HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await wire.answer()).body == b"ok"
    assert hangs_up.is_set()
    assert count == 2
    wire.send(b"POST /stale HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    assert (await wire.answer()).status == 502
    assert count == 2
    server.close()


async def test_slow_and_oversized_heads_are_ended(tmp_path: Path) -> None:
    async with proxy(tmp_path, "--header-timeout", "0.5", "--max-header-bytes", "4096") as front:
        wire = await front.wire()
        wire.send(b"GET / HTTP/1.1\r\nX")
        assert await wire.rest() == b""
        big = await front.ask(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 10_000 + b"\r\n\r\n")
        assert big.status == 431
        wire = await front.wire()
        for _ in range(10):
            wire.send(b"a" * 1000)
        assert b" 4" in await wire.line()


async def test_a_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    async with backend() as behind, proxy(tmp_path) as front:
        await front.route("/user/u", behind.url)
        idle, busy, tunnel = await front.wire(), await front.wire(), await front.wire()
        tunnel.send(UPGRADE % b"upgrade")
        await tunnel.head()
        busy.send(b"PUT /user/u/slowsink HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        await until(lambda: len(behind.seen) == 2, "the request arrives")
        front.process.terminate()
        assert await idle.rest() == b""
        assert await tunnel.rest() == b""
        behind.gate.set()
        answer = await busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await front.process.wait() == 0
        assert not (tmp_path / "status.json").exists()
