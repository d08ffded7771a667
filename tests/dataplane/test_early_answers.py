"""Answers that come before the request's body is complete."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataplane.harness import Proxy, until

pytestmark = pytest.mark.real

UPLOAD = b"POST /user/u/%b HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong"


async def test_an_answer_before_the_body_is_sent_reaches_the_client(front: Proxy) -> None:
    wire = await front.wire()
    wire.send(UPLOAD % b"early" + bytes(200_000))
    answer = await wire.answer()
    assert (answer.status, answer.body) == (413, b"long")
    assert answer.headers["connection"] == "close"
    assert await wire.rest() == b""


@contextlib.contextmanager
def _held(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


@pytest.mark.parametrize("piece", [0, 300_000], ids=["read first", "written first"])
async def test_a_reset_does_not_overtake_the_answer(front: Proxy, piece: int) -> None:
    """The server closes with unread data; the proxy finds more to write, the answer and the reset at once."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        await front.route("/user/u", f"http://127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(8):
            wire = await front.wire()
            wire.send(UPLOAD % b"x" + bytes(200_000))
            server, _ = await loop.sock_accept(listener)
            await loop.sock_recv(server, 100)
            with server, _held(front.process.pid):
                await until(lambda: _state(front.process.pid) == "T", "the proxy is held")
                wire.send(bytes(piece))
                await loop.sock_sendall(server, TOO_LARGE)
                server.close()
            answer = await wire.answer()
            assert (answer.status, answer.body) == (413, b"long")
            wire.close()
