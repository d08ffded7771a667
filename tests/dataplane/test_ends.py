"""Where messages and connections end: trailers, and connections that are closed in one direction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from carrel.dataplane.chunks import ChunkedBody
from carrel.dataplane.refusal import RefusedError
from tests.dataplane.harness import Proxy

HELLO = b"POST /raw/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
UPGRADE = b"GET /raw/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: talk\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: talk\r\n\r\n"
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def behave(front: Proxy) -> AsyncIterator[list[Behaviour]]:
    """What the server at /raw does with a connection: the last one of these."""
    behaviours: list[Behaviour] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviours[-1](reader, writer)
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    await front.route("/raw", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield behaviours
    server.close()


@pytest.mark.real
async def test_trailers_pass_in_both_directions(front: Proxy, behave: list[Behaviour]) -> None:
    got: list[bytes] = []

    async def trailing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n0\r\n"))
        got.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nTrailer: grpc-status\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"2;x=y\r\nok\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: a=b\r\n\r\n")

    behave.append(trailing)
    wire = await front.wire()
    wire.send(HELLO + b"0\r\nDigest: sha-256=x\r\nCookie: evil\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n")
    status, headers = await wire.head()
    assert (status, headers["trailer"]) == (200, "grpc-status")
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n"
    assert got[0].endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n")
    assert got[1] == b"Digest: sha-256=x\r\n\r\n"


@pytest.mark.real
async def test_http_1_0_gets_no_trailers(front: Proxy, behave: list[Behaviour]) -> None:
    async def trailing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n")

    behave.append(trailing)
    answer = await front.ask(b"GET /raw/ HTTP/1.0\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.real
async def test_who_closes_its_half_after_the_last_request_gets_the_answer(
    front: Proxy, behave: list[Behaviour]
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await may_answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    behave.append(late)
    wire = await front.wire()
    wire.send(b"GET /raw/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    wire.writer.write_eof()
    await asked.wait()
    may_answer.set()
    assert (await wire.answer()).body == b"late"
    assert await wire.rest() == b""


@pytest.mark.real
async def test_a_tunnel_closes_one_direction_at_a_time(front: Proxy, behave: list[Behaviour]) -> None:
    async def echo_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCH)
        writer.write(b"all of it: " + await reader.read())

    behave.append(echo_at_the_end)
    wire = await front.wire()
    wire.send(UPGRADE + b"some")
    assert (await wire.head())[0] == 101
    wire.send(b"thing")
    wire.writer.write_eof()
    assert await wire.rest() == b"all of it: something"


def _read(pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    body, out, rest = ChunkedBody(1000), list[bytes](), None
    for piece in pieces:
        assert rest is None
        rest = body.feed(piece, out)
    return b"".join(out), rest


def test_chunks_mean_the_same_wherever_they_are_cut() -> None:
    raw = b"5;a=b\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX: y\r\nHost: e\r\n\r\n"
    whole = b"5\r\nhello\r\na\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
    assert _read([raw + b"GET /"]) == (whole, b"GET /")
    bare = ChunkedBody(1000, framed=False)
    for at in range(1, len(raw)):
        out, rest = _read([raw[:at], raw[at:]])
        # A chunk that is cut arrives as two.
        unframed: list[bytes] = []
        assert ChunkedBody(1000, framed=False).feed(out, unframed) == b""
        assert (b"".join(unframed), rest) == (b"hello0123456789", b"")
    pieces: list[bytes] = []
    for at in range(len(raw)):
        end = bare.feed(raw[at : at + 1], pieces)
    assert (b"".join(pieces), end) == (b"hello0123456789", b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+5\r\nhello",
        b"0x5\r\nhello",
        b" 5\r\nhello",
        b"5 \r\nhello",
        b"5\nhello",
        b"5;a\x00b\r\nhello",
        b"5;a\nb\r\nhello",
        b"5\r\nhelloX",
        b"5\r\nhello\n5",
        b"5\r\nhello\r\r",
        b"1000000000000000\r\n",
        b"1;" + b"a" * 2000,
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: y\r\n folded\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\ncontent-LENGTH: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_malformed_chunks_are_refused_at_once(raw: bytes) -> None:
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        with pytest.raises(RefusedError) as caught:
            _read(pieces)
        assert caught.value.status == 400


def test_trailers_are_bounded() -> None:
    with pytest.raises(RefusedError) as caught:
        _read([b"0\r\n", *[b"X: y\r\n"] * 200])
    assert caught.value.status == 431
