"""A route with several addresses: which is asked, and what is asked again when one of them goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.dataplane.alternatives import PAUSE, Alternatives
from carrel.dataplane.limits import Limits
from carrel.dataplane.pools import Pool, Tick
from carrel.dataplane.routes import read_target
from carrel.dataplane.targets import Address, BadTargetError, Target
from carrel.dataplane.upstream import UpstreamConnection
from tests.dataplane.harness import Backend, Proxy, backend, proxy
from tests.rigs.systems import free_port

GET = b"GET /hub/x HTTP/1.1\r\nHost: h\r\n\r\n"
ONE, TWO, THREE = (Address("127.0.0.1", port) for port in (1, 2, 3))


class Line:
    """Addresses of which some take connections; notes which were asked."""

    def __init__(self, *alive: Address) -> None:
        self.alive = set(alive)
        self.asked: list[Address] = []
        self.tick = Tick()
        self.tick.now = 100.0
        self.pools: dict[Address, Pool] = {}
        self.alternatives = Alternatives(self.pool, self.tick)

    def pool(self, address: Address) -> Pool:
        return self.pools.setdefault(address, _Counted(address, self))

    async def ask(self, target: Target) -> list[Address]:
        """Return who was asked for a connection, in order; the last one took it."""
        self.asked = []
        with contextlib.suppress(ConnectionRefusedError):
            await self.alternatives.connect(target)
        return self.asked


class _Counted(Pool):
    __slots__ = ("_line",)

    def __init__(self, address: Address, line: Line) -> None:
        super().__init__(address, Limits(), line.tick)
        self._line = line

    async def connect(self) -> UpstreamConnection:
        self._line.asked.append(self.address)
        if self.address not in self._line.alive:
            raise ConnectionRefusedError
        return UpstreamConnection(self)


def _target(*addresses: Address) -> Target:
    first, *others = (f"http://{host}:{port}" for host, port, *_ in addresses)
    return read_target({"target": first, "alternatives": others})


TARGET = _target(ONE, TWO, THREE)


async def test_one_that_failed_is_asked_last_for_a_while_and_then_again() -> None:
    line = Line(TWO, THREE)
    assert await line.ask(TARGET) == [ONE, TWO]
    assert await line.ask(TARGET) == [TWO]
    line.tick.now += PAUSE
    assert await line.ask(TARGET) == [ONE, TWO]
    line.alive.add(ONE)
    assert await line.ask(TARGET) == [TWO]
    line.tick.now += PAUSE
    assert await line.ask(TARGET) == [ONE]
    assert await line.ask(TARGET) == [ONE]


async def test_when_all_are_gone_each_is_asked() -> None:
    line = Line()
    for _ in range(3):
        assert sorted(await line.ask(TARGET)) == [ONE, TWO, THREE]
    line.alive = {THREE}
    assert (await line.ask(TARGET))[-1] == THREE
    assert await line.ask(TARGET) == [THREE]


async def test_only_one_request_waits_for_an_address_that_is_tried_again() -> None:
    line = Line(TWO)
    await line.ask(TARGET)
    line.tick.now += PAUSE
    waits = asyncio.Event()
    refused = _Counted.connect

    class _Silent(_Counted):
        async def connect(self) -> UpstreamConnection:
            line.asked.append(self.address)
            await waits.wait()
            return await refused(self)

    line.pools[ONE] = _Silent(ONE, line)
    line.asked = []
    first = asyncio.create_task(line.alternatives.connect(TARGET))
    await asyncio.sleep(0)
    await line.alternatives.connect(TARGET)
    assert line.asked == [ONE, TWO]
    waits.set()
    await first


async def test_a_kept_connection_is_used_only_where_it_leads_to_the_first_choice() -> None:
    line = Line(ONE, TWO)
    for address in (ONE, TWO):
        kept = UpstreamConnection(line.pool(address))
        kept.connection_made(_Idle())
        line.pool(address).keep(kept)
    line.alternatives.failed(ONE)
    taken = line.alternatives.take(TARGET)
    assert taken is not None
    assert line.pool(TWO).idle == []
    assert line.alternatives.take(_target(ONE, TWO)) is None
    line.tick.now += PAUSE
    assert line.alternatives.take(TARGET) is None
    assert await line.ask(TARGET) == [ONE]


class _Idle(asyncio.Transport):
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any."""

    def is_closing(self) -> bool:
        return False


def test_addresses_are_read_once_each() -> None:
    assert _target(ONE, TWO, TWO, ONE, THREE).addresses == (ONE, TWO, THREE)
    assert read_target({"target": "http://h:1/p", "alternatives": ["http://i:2/p/"]}).prefix == b"/p"


@pytest.mark.parametrize(
    "urls",
    ["http://h:1", {}, None, [1], ["ftp://h:1"], ["http://h:1/other"], ["http://u@h:1"], ["http://h"] * 17],
)
def test_what_names_no_server_is_refused(urls: object) -> None:
    with pytest.raises(BadTargetError, match=r"alternative|target"):
        read_target({"target": "http://127.0.0.1:1", "alternatives": urls})


@pytest.fixture
async def other() -> AsyncIterator[Backend]:
    async with backend() as server:
        yield server


async def _hub(front: Proxy, *urls: str) -> None:
    await front.route("/hub", urls[0], alternatives=list(urls[1:]), hub=True)


def _gone() -> str:
    return f"http://127.0.0.1:{free_port()}"


@contextlib.asynccontextmanager
async def _ending(answer: bytes, after: bytes = b"\r\n\r\n") -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server that takes a request up to `after`, sends `answer` and goes; yield URL and requests."""
    took: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        took.append(await reader.readuntil(after))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", took
    finally:
        server.close()


@pytest.mark.real
class TestRealServers:
    async def test_the_next_is_asked_when_one_is_gone(
        self, front: Proxy, behind: Backend, other: Backend
    ) -> None:
        await _hub(front, _gone(), behind.url, other.url)
        assert (await front.get("/hub/x")).status == 200
        posted = await front.ask(b"POST /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        assert posted.json()["size"] == 5
        chunked = (
            b"POST /hub/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        assert (await front.ask(chunked)).json()["size"] == 3
        assert (len(behind.seen), len(other.seen)) == (3, 0)

    async def test_an_upgrade_goes_to_the_next_too(self, front: Proxy, behind: Backend) -> None:
        await _hub(front, _gone(), behind.url)
        wire = await front.wire()
        wire.send(b"GET /hub/upgrade HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        assert (await wire.head())[0] == 101
        wire.send(b"ping")
        assert await wire.reader.readexactly(4) == b"ping"

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    async def test_what_changes_nothing_is_sent_once_more(
        self, front: Proxy, behind: Backend, method: str
    ) -> None:
        async with _ending(b"") as (url, took):
            await _hub(front, url, behind.url)
            raw = f"{method} /hub/x HTTP/1.1\r\nHost: h\r\n\r\n".encode()
            assert (await front.ask(raw, head_only=method == "HEAD")).status == 200
            assert (await front.ask(raw, head_only=method == "HEAD")).status == 200
            assert (len(took), len(behind.seen)) == (1, 2)

    async def test_but_not_a_third_time(self, front: Proxy, behind: Backend) -> None:
        async with _ending(b"") as (one, took_one), _ending(b"") as (two, took_two):
            await _hub(front, one, two, behind.url)
            assert (await front.get("/hub/x")).status == 502
            assert (len(took_one), len(took_two), len(behind.seen)) == (1, 1, 0)

    @pytest.mark.parametrize(
        ("raw", "after"),
        [
            (b"POST /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
            (b"POST /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", b"\r\n\r\n"),
            (b"GET /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
            (b"PUT /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
            (b"DELETE /hub/x HTTP/1.1\r\nHost: h\r\n\r\n", b"\r\n\r\n"),
            (b"GET /hub/x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b"\r\n\r\n"),
        ],
    )
    async def test_what_may_have_been_done_is_not_sent_again(
        self, front: Proxy, behind: Backend, raw: bytes, after: bytes
    ) -> None:
        async with _ending(b"", after) as (url, took):
            await _hub(front, url, behind.url)
            assert (await front.ask(raw)).status == 502
            assert (len(took), behind.seen) == (1, [])

    @pytest.mark.parametrize("answer", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
    async def test_nothing_is_sent_again_once_a_byte_has_come(
        self, front: Proxy, behind: Backend, answer: bytes
    ) -> None:
        async with _ending(answer) as (url, took):
            await _hub(front, url, behind.url)
            wire = await front.wire()
            wire.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            got = await wire.rest()
            assert got.startswith(b"HTTP/1.1 502") if answer == b"H" else got.endswith(b"half")
            assert (len(took), behind.seen) == (1, [])

    async def test_a_kept_connection_that_went_stale_leads_to_the_next(
        self, front: Proxy, behind: Backend
    ) -> None:
        async with backend() as first:
            await _hub(front, first.url, behind.url)
            wire = await front.wire()
            wire.send(GET)
            assert (await wire.answer()).status == 200
            assert len(first.seen) == 1
        for _ in range(3):
            wire.send(GET)
            assert (await wire.answer()).status == 200
        assert len(behind.seen) == 3

    async def test_a_server_that_dies_under_a_kept_connection_is_not_asked_again(
        self, front: Proxy, behind: Backend
    ) -> None:
        connections = 0

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # The first connection is good for one answer; the port stays open a moment longer than that.
            nonlocal connections
            connections += 1
            if connections == 1:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(accept, "127.0.0.1", 0) as dying:
            await _hub(front, f"http://127.0.0.1:{dying.sockets[0].getsockname()[1]}", behind.url)
            wire = await front.wire()
            for _ in range(3):
                wire.send(GET)
                assert (await wire.answer()).status == 200
        assert (connections, len(behind.seen)) == (1, 2)

    async def test_without_any_the_page_says_so(self, front: Proxy) -> None:
        await _hub(front, _gone(), _gone())
        page = await front.get("/hub/x", "Accept: text/html")
        assert (page.status, page.headers["retry-after"]) == (503, "1")
        assert b"restarting" in page.body
        wire = await front.wire()
        wire.send(b"GET /hub/x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        assert (await wire.answer()).status == 503

    async def test_they_are_checked_shown_and_remembered(self, tmp_path: Path, behind: Backend) -> None:
        storage = ("--storage", str(tmp_path / "routes"))
        async with proxy(tmp_path, *storage) as front:
            body = {"target": _gone(), "alternatives": ["http//typo"]}
            refused = await front.api("POST", "/api/routes/hub", body)
            assert refused.status == 400
            assert b"typo" in refused.body
            snapshot = await front.api("PUT", "/api/routes", {"routes": {"/hub": body}})
            assert snapshot.status == 400
            assert (await front.get("/hub/x")).status == 404
            await _hub(front, _gone(), behind.url)
            shown = (await front.api("GET", "/api/routes/hub")).json()
            assert shown["alternatives"] == [behind.url]
            front.process.kill()
            await front.process.wait()
        async with proxy(tmp_path, *storage) as front:
            assert (await front.get("/hub/x")).status == 200

    async def test_a_snapshot_changes_them(self, front: Proxy, behind: Backend, other: Backend) -> None:
        gone = _gone()
        await _hub(front, gone, behind.url)
        assert (await front.get("/hub/x")).status == 200
        routes = {"/hub": {"target": gone, "alternatives": [other.url]}}
        assert (await front.api("PUT", "/api/routes", {"routes": routes})).status == 204
        assert (await front.get("/hub/x")).status == 200
        assert (len(behind.seen), len(other.seen)) == (1, 1)


@pytest.mark.real
async def test_every_worker_knows_the_other_addresses(tmp_path: Path) -> None:
    async with backend() as behind, proxy(tmp_path, workers=2) as front:
        await front.route("/hub", f"http://127.0.0.1:{free_port()}", alternatives=[behind.url])
        answers = await asyncio.gather(*(front.get("/hub/x") for _ in range(200)))
    assert {answer.status for answer in answers} == {200}
