"""Fields behind a request's body: what says where a message ends or who asks never gets there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.dataplane.answers.cases import FORBIDDEN_TRAILERS
from tests.dataplane.harness import Proxy, until

pytestmark = pytest.mark.real
#: What the data plane itself says of the client; what a server has to act on before it reads the body.
CLAIMS = frozenset(b"x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto expect".split())
CHUNKED = b"POST /raw HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"


@dataclass
class Taker:
    """Keeps what comes behind each request's head."""

    taken: list[bytes] = field(default_factory=list)
    open: int = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.taken.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        except asyncio.IncompleteReadError as cut:
            self.taken.append(cut.partial)
        writer.close()
        self.open -= 1


async def test_a_forbidden_trailer_never_reaches_a_server(front: Proxy) -> None:
    taker = Taker()
    server = await asyncio.start_server(taker.accept, "127.0.0.1", 0)
    await front.route("/raw", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    names = sorted(FORBIDDEN_TRAILERS | CLAIMS)
    served = 0
    for name in names:
        for written in (name, name.title(), name.upper()):
            status = (await front.ask(CHUNKED + written + b": 1\r\n\r\n")).status
            assert status in (204, 400), written
            served += status == 204
    await until(lambda: taker.open == 0, "every connection has ended")
    whole = [taken for taken in taker.taken if taken.endswith(b"\r\n\r\n")]
    assert len(whole) == served > 0
    for taken in taker.taken:
        assert not [name for name in names if name + b":" in taken.lower()], taken
    server.close()
    await server.wait_closed()
