"""The how-to's HAProxy before Carrel's own data plane: HTTP/2 and TLS outside, who asks is told inside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.harness import Backend, backend, proxy, until
from tests.proxy.engine_rig import certificate_in, need_haproxy
from tests.rigs.curl import curl
from tests.rigs.places import ROOT
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real


def _configuration(port: int, certificate: Path, behind: int) -> str:
    page = (ROOT / "docs" / "how-to" / "haproxy.md").read_text()
    block = page[page.index("defaults\n") :].partition("```")[0]
    for shown, used in (
        ("bind :443 ", f"bind 127.0.0.1:{port} "),
        ("/etc/carrel/tls.pem", str(certificate)),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
    ):
        assert block.count(shown) == 1
        block = block.replace(shown, used)
    return block


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.asynccontextmanager
async def _haproxy(config: Path, port: int) -> AsyncIterator[None]:
    need_haproxy()
    path = f"/usr/local/sbin:/usr/sbin:{os.environ['PATH']}"
    program = str(shutil.which("haproxy", path=path))
    process = await asyncio.create_subprocess_exec(program, "-db", "-f", str(config))
    try:
        await until(lambda: process.returncode is not None or _listens(port), "HAProxy listens")
        assert process.returncode is None
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_browsers_get_http2_and_the_server_learns_who_asks(tmp_path: Path) -> None:
    both, certificate = certificate_in(tmp_path)
    port, config = free_port(), tmp_path / "front.cfg"
    async with backend() as behind, proxy(tmp_path) as front:
        await front.route("/user/u", behind.url)
        config.write_text(_configuration(port, both, front.port))
        async with _haproxy(config, port):
            told = ("--output", "/dev/null", "--write-out", "%{http_version} %{http_code}")
            claim = ("--header", "X-Forwarded-For: 9.9.9.9", "--header", "X-Forwarded-Proto: http")
            url = f"https://localhost:{port}/user/u/echo"
            assert await curl("--http2", "--cacert", str(certificate), *claim, *told, url) == (0, "2 200")
    _check(behind, port)


def _check(behind: Backend, port: int) -> None:
    (seen,) = behind.seen
    assert seen.one("host") == f"localhost:{port}"
    assert seen.one("x-forwarded-for").split(",")[0].strip() == "127.0.0.1"
    assert seen.one("x-forwarded-proto").split(",")[0] == "https"
    assert seen.one("x-forwarded-host") == f"localhost:{port}"
    assert seen.one("x-forwarded-port").split(",")[0] == str(port)
