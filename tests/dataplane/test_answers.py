"""What a server answers beyond, or instead of, an answer never reaches another request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.dataplane.harness import Proxy

pytestmark = pytest.mark.real
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
#: A whole answer with something behind it: the answer arrives, and nothing else ever does.
BEYOND = [
    OK + EVIL,
    OK + EVIL[:9],
    OK + b"H",
    OK + b"HTTP/1.1 100 Continue\r\n\r\n",
    OK + b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nevil",
    OK + b"noise",
    OK + b"\x00",
    OK + b"\r\n\r\n" + EVIL,
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok" + EVIL,
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 30\r\n\r\n" + EVIL,
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + EVIL[:20],
]
#: No answer can be read from these in one way alone.
UNUSABLE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: a\rb: c\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX\x00: b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 000 X\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 -20 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/0.9 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nevil",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nevil",
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"evil",
]


@pytest.fixture
async def raw(front: Proxy) -> AsyncIterator[list[bytes]]:
    """A server at /raw that answers `[0]` to a request for /raw/bad, and the path to every other."""
    answers = [b""]

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while path := (await reader.readuntil(b"\r\n\r\n")).split()[1]:
                own = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)
                writer.write(answers[0] if path == b"/raw/bad" else own)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    await front.route("/raw", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield answers
    server.close()


async def test_nothing_behind_an_answer_reaches_a_client(front: Proxy, raw: list[bytes]) -> None:
    wire, other = await front.wire(), await front.wire()
    for raw[0] in BEYOND:
        wire.send(b"GET /raw/bad HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await wire.answer()
        assert answer.status in (200, 204, 304), raw
        assert answer.body in (b"", b"ok"), raw
        for client in (other, wire):
            client.send(b"GET /raw/own HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await client.answer()).body == b"/raw/own", raw


async def test_an_unusable_answer_is_502_and_leaves_nothing(front: Proxy, raw: list[bytes]) -> None:
    wire = await front.wire()
    for raw[0] in UNUSABLE:
        for path, status in (("bad", 502), ("own", 200)):
            wire.send(f"GET /raw/{path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            answer = await wire.answer()
            assert answer.status == status, (raw, answer)
        assert answer.body == b"/raw/own", raw
