"""The client for our own processes: how an answer ends, and what is no answer at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from carrel.lib.httpclient import HttpError, send


@asynccontextmanager
async def answering(*chunks: bytes, hang: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Yield the URL of a server that sends `chunks` and closes, and the requests that it got."""
    requests: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if hang:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
        done.set()


@pytest.mark.parametrize(
    "chunks",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r\nhe", b"llo"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",),
        (b"HTTP/1.0 200 OK\r\n\r\nhello",),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    ],
)
async def test_an_answer_is_read_to_its_end(chunks: tuple[bytes, ...]) -> None:
    async with answering(*chunks) as (url, requests):
        reply = await send("GET", f"{url}/a?b=c", headers={"X-One": "1"})
    assert (reply.status, reply.body) == (200, b"hello")
    assert requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1")
    assert b"\r\nX-One: 1\r\n" in requests[0]


async def test_an_answer_without_a_body_needs_no_end_of_connection() -> None:
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n", hang=True) as (url, requests):
        reply = await send("POST", url, body=b"{}")
    assert reply.status == 204
    assert b"Content-Length: 2" in requests[0]


@pytest.mark.parametrize(
    "chunk",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200",
        b"",
    ],
)
async def test_what_is_cut_off_or_not_http_is_an_error(chunk: bytes) -> None:
    async with answering(chunk) as (url, _):
        with pytest.raises(HttpError):
            await send("GET", url)


async def test_silence_ends_in_time() -> None:
    async with answering(hang=True) as (url, _):
        with pytest.raises(TimeoutError):
            await send("GET", url, seconds=0.05)


@pytest.mark.parametrize("header", ["a\r\nX: y", "a\nb", "a\rb"])
async def test_a_header_cannot_bring_another(header: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        await send("GET", "http://127.0.0.1:1", headers={"X-One": header})


async def test_a_name_that_no_host_can_have_is_one_that_does_not_answer() -> None:
    with pytest.raises(OSError, match=r"a\.\.b is no name of a host"):
        await send("GET", "http://a..b/")
