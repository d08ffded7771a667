"""The limits on how much may come in, each set low."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from carrel.dataplane.dead_peers import find_dead_peers
from tests.dataplane.harness import DEADLINE, Backend, Proxy, proxy, until

pytestmark = pytest.mark.real
UPGRADE = b"GET /user/u/%b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"


async def test_too_many_headers_and_too_long_a_line(tmp_path: Path) -> None:
    async with proxy(tmp_path, "--max-headers", "20", "--max-request-line", "100") as front:
        assert (await front.get("/" + "a" * 99)).status == 404
        assert (await front.get("/" + "a" * 100)).status == 414
        assert (await front.get("/", *["X: y"] * 19)).status == 404
        assert (await front.get("/", *["X: y"] * 20)).status == 431


async def test_an_address_has_so_many_connections_and_gets_them_back(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--max-connections-per-address", "3") as front:
        await front.route("/user/u", behind.url)
        held = [await front.wire() for _ in range(3)]
        held[0].send(UPGRADE % b"upgrade")
        assert (await held[0].head())[0] == 101
        # It is told before it asks; a request that came after would be answered by a reset, too.
        refused = await (await front.wire()).answer()
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        for wire in held:
            wire.close()
        await _until(front, "connections", 0)
        assert (await front.get("/")).status == 404


async def test_a_unix_socket_has_no_address_to_count(tmp_path: Path, behind: Backend) -> None:
    path = tmp_path / "public.sock"
    async with proxy(tmp_path, "--max-connections-per-address", "2", socket=path) as front:
        await front.route("/user/u", behind.url)
        held = [await front.wire() for _ in range(5)]
        held[0].send(UPGRADE % b"upgrade")
        assert (await held[0].head())[0] == 101
        for wire in held[1:]:
            wire.send(b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await wire.answer()).status == 200
        assert {seen.one("x-forwarded-for") for seen in behind.seen} == {"127.0.0.1"}
        await _until(front, "connections", 5)
        for wire in held:
            wire.close()
        await _until(front, "connections", 0)


async def _until(front: Proxy, what: str, wanted: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while await _load(front, what) != wanted:
            await asyncio.sleep(0.02)


async def _load(front: Proxy, what: str) -> int:
    load = (await front.api("GET", "/api/status")).json()["load"]
    assert isinstance(load, dict)
    return int(load[what])


async def test_so_many_upgrades_may_wait_and_open_ones_do_not_count(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--max-upgrades", "1") as front:
        await front.route("/user/u", behind.url)
        opened = await front.wire()
        opened.send(UPGRADE % b"upgrade")
        assert (await opened.head())[0] == 101
        waiting = await front.wire()
        waiting.send(UPGRADE % b"never")
        await until(lambda: len(behind.seen) == 2, "the server has the second")
        answer = await front.ask(UPGRADE % b"upgrade")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")


async def test_the_longest_idle_clients_and_servers_go_first(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--max-idle-clients", "2", "--max-idle-upstreams", "1") as front:
        await front.route("/user/u", behind.url)
        wires = [await front.wire() for _ in range(3)]
        # Each has a connection to the server; the first is the first to be idle, whichever comes next.
        for held in wires[1:]:
            held.send(b"GET /user/u/slowsink HTTP/1.1\r\nHost: h\r\n\r\n")
        await until(lambda: len(behind.seen) == 2, "the server has both")
        wires[0].send(b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await wires[0].answer()).status == 200
        behind.gate.set()
        assert [(await held.answer()).status for held in wires[1:]] == [200] * 2
        assert behind.connections == 3
        assert await wires[0].rest() == b""
        wires[2].send(b"GET /user/u/again HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await wires[2].answer()).status == 200


async def test_an_upgrade_that_is_never_answered_is_ended(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--upgrade-timeout", "2", "--max-upgrades", "1") as front:
        await front.route("/user/u", behind.url)
        opened = await front.wire()
        opened.send(UPGRADE % b"upgrade")
        assert (await opened.head())[0] == 101
        wire = await front.wire()
        wire.send(UPGRADE % b"never" + b"sent ahead")
        answer = await wire.answer()
        assert (answer.status, answer.body) == (503, b"")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("5", "close")
        assert await wire.rest() == b""
        await until(lambda: behind.open == 1, "the server's connection is closed too")
        await _until(front, "upgrades", 0)
        opened.send(b"still open")
        assert await opened.reader.readexactly(10) == b"still open"


async def test_a_plain_request_may_take_longer_than_an_upgrade(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--upgrade-timeout", "0.2") as front:
        await front.route("/user/u", behind.url)
        slow, upgrade = await front.wire(), await front.wire()
        slow.send(b"POST /user/u/slowsink HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
        await until(lambda: len(behind.seen) == 1, "the server has the request")
        upgrade.send(UPGRADE % b"never")
        assert (await upgrade.answer()).status == 503
        behind.gate.set()
        assert (await slow.answer()).status == 200


async def test_silence_within_a_body_is_ended(tmp_path: Path, behind: Backend) -> None:
    async with proxy(tmp_path, "--body-timeout", "0.5") as front:
        await front.route("/user/u", behind.url)
        answer = await front.ask(b"POST /user/u/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
        assert answer.status == 408


def test_a_silent_connection_is_probed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        find_dead_peers(listener)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
