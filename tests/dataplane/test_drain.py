"""What the REST API still does while answers under way keep the process from ending."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from carrel.dataplane.certificates import Certificates
from carrel.dataplane.control_server import Answer, Call
from carrel.dataplane.journal import decode
from carrel.dataplane.listeners import Endpoint, Listener, listening
from carrel.dataplane.load import Load
from carrel.dataplane.metrics import Metrics
from carrel.dataplane.options import parse_options
from carrel.dataplane.process import serve
from carrel.dataplane.replies import Reply
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.status_file import read_status
from tests.dataplane.harness import Wire, until

pytestmark = pytest.mark.real
CALL = b"%b %b HTTP/1.1\r\nHost: api\r\nContent-Length: %d\r\n\r\n"
TARGET = b'{"target": "http://127.0.0.1:1"}'


class Busy:
    """A front with an answer under way, which ends when the test says so."""

    workers = ()
    load = Load()

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.ending = asyncio.Event()
        self.gate = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        yield
        self.ending.set()
        await self.gate.wait()

    async def complete(self) -> None:
        return

    def reload(self) -> None:
        return

    async def refresh(self) -> None:
        return

    def answering(self, answer: Callable[[Call], Reply]) -> Answer:
        return answer


async def _said(wire: Wire, method: bytes, path: bytes, body: bytes = b"") -> int:
    wire.send(CALL % (method, path, len(body)) + body)
    return (await wire.answer()).status


async def test_changes_that_would_be_forgotten_are_refused(tmp_path: Path) -> None:
    status_file, routes = tmp_path / "status.json", tmp_path / "routes.json"
    options = parse_options(["--api-port", "0", "--status-file", str(status_file), "--storage", str(routes)])
    front = Busy()

    def make_front(_: RouteTable) -> Busy:
        return front

    with listening(Endpoint("127.0.0.1")) as public:
        log, certificates = logging.getLogger("test"), Certificates(options)
        serving = asyncio.create_task(serve(options, "", log, certificates, Listener(public), make_front))
        await until(lambda: read_status(status_file) is not None, "the proxy listens")
        status = read_status(status_file)
        assert status is not None
        wire = Wire(*await asyncio.open_connection("127.0.0.1", status.api_port))
        assert await _said(wire, b"POST", b"/api/routes/a", TARGET) == 201
        assert await _said(wire, b"POST", b"/api/shutdown") == 202
        await asyncio.wait_for(front.ending.wait(), 20)
        assert await _said(wire, b"POST", b"/api/routes/b", TARGET) == 503
        assert await _said(wire, b"DELETE", b"/api/routes/a") == 503
        assert await _said(wire, b"GET", b"/api/routes/a") == 200
        front.gate.set()
        await asyncio.wait_for(serving, 20)
        wire.close()
    assert decode(routes.read_bytes()).routes.keys() == {"/a"}
