"""The probe tells from outside what is wrong with a server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from carrel.lib.listening import listeners
from carrel.lib.process_table import environ_of
from carrel.lifecycle.evidence import NotReady
from carrel.lifecycle.probe import HttpProbe
from tests.rigs.poll import until
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real

PATH = "/user/ada/api"
JUPYTER = json.dumps({"version": "2.21"})
#: Path → status, body, further header lines.
Pages = Mapping[str, tuple[int, str, str]]


@asynccontextmanager
async def serving(pages: Pages) -> AsyncIterator[str]:
    """Run a small HTTP server and yield the address at which the hub expects a user's server."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status, body, more = pages.get(head.split()[1].decode(), (404, "", ""))
        writer.write(f"HTTP/1.1 {status} X\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{PATH}"


@pytest.mark.parametrize(
    ("pages", "ready"),
    [
        ({PATH: (200, JUPYTER, "")}, True),
        ({PATH: (302, "", "Location: /hub/login\r\n")}, True),
        ({PATH: (403, "", "")}, True),
        ({PATH: (503, "", "")}, False),
        ({}, True),
        ({"/api": (200, "{}", "")}, True),
        ({"/api": (200, "[1]", "")}, True),
        ({"/api": (404, JUPYTER, "")}, True),
        ({"/": (302, "", f"Location: {PATH[:-3]}\r\n")}, True),
    ],
)
async def test_readiness(pages: Pages, ready: bool) -> None:
    async with serving(pages) as url:
        assert await HttpProbe()(url) is ready


@pytest.mark.parametrize(
    ("pages", "elsewhere"),
    [
        ({"/api": (200, JUPYTER, "")}, "/"),
        ({"/": (302, "", "Location: /lab/\r\n"), "/lab/api": (200, JUPYTER, "")}, "/lab/"),
        (
            {
                PATH: (404, '<link rel="icon" href="/wrong/static/favicon.ico?v=1">', ""),
                "/wrong/api": (200, JUPYTER, ""),
            },
            "/wrong/",
        ),
        ({PATH: (404, '<link href="/static/style/x.css">', ""), "/api": (200, JUPYTER, "")}, "/"),
        ({"/": (302, "", "Location: /user/bob/tree?\r\n"), "/api": (200, JUPYTER, "")}, "/"),
    ],
)
async def test_a_jupyter_server_elsewhere_is_found_at_once(pages: Pages, elsewhere: str) -> None:
    async with serving(pages) as url:
        with pytest.raises(NotReady) as caught:
            await HttpProbe()(url)
        assert caught.value.evidence.facts == {"elsewhere": elsewhere}


async def test_versions_apart_are_logged_and_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    for version, warnings in (("6.0.2", 0), ("4.1.0", 1)):
        caplog.clear()
        pages = {PATH: (200, JUPYTER, f"X-JupyterHub-Version: {version}\r\n")}
        with caplog.at_level(logging.WARNING, "carrel.lifecycle"):
            async with serving(pages) as url:
                assert await HttpProbe()(url)
        assert [version in record.getMessage() for record in caplog.records] == [True] * warnings


async def test_errors_are_seen() -> None:
    async with serving({PATH: (500, "", ""), "/api": (200, JUPYTER, "")}) as url:
        facts = await HttpProbe().examine(url, {})
    assert facts["answered"] == "500"
    assert facts["elsewhere"] == "/"


async def test_nothing_listens() -> None:
    assert await HttpProbe().examine(f"http://127.0.0.1:{free_port()}{PATH}", {}) == {"reach": "refused"}


async def test_an_unknown_name() -> None:
    assert await HttpProbe().examine(f"http://server.invalid:80{PATH}", {}) == {"reach": "name"}


def _start(code: str, label: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | label)


async def test_another_program_at_the_port_is_told_with_its_pid() -> None:
    label = {"CARREL_TEST_LABEL": f"mute {os.getpid()}"}
    run = _start("import time; time.sleep(60)", label)
    try:
        until(lambda: label.items() <= environ_of(run.pid).items(), "the run to begin")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}{PATH}"
            facts = await HttpProbe(seconds=0.05).examine(url, label)
        assert facts["reach"] == "timeout"
        assert facts["other"].endswith(f"process {os.getpid()}")
    finally:
        run.kill()
        run.wait()


async def test_a_port_is_nobody_else_s_when_the_run_is_elsewhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as forwarder:
        url = f"http://127.0.0.1:{forwarder.getsockname()[1]}{PATH}"
        facts = await HttpProbe(seconds=0.05).examine(url, {"CARREL_TEST_LABEL": "elsewhere"})
    assert facts == {"reach": "timeout"}


async def test_the_ports_of_the_run_itself_are_found() -> None:
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(60)"
    label = {"CARREL_TEST_LABEL": f"ports {os.getpid()}"}
    run = _start(code, label)
    try:
        port = until(
            lambda: next((each.port for each in listeners() if each.pid == run.pid), 0), "the run to listen"
        )
        probe = HttpProbe(seconds=0.05)
        missed = await HttpProbe().examine(f"http://127.0.0.1:{free_port()}{PATH}", label)
        assert missed == {"reach": "refused", "listens": str(port)}
        assert await probe.examine(f"http://127.0.0.1:{port}{PATH}", label) == {"reach": "timeout"}
    finally:
        run.kill()
        run.wait()
