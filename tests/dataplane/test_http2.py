"""What clients that would rather speak HTTP/2 meet: HTTP/1.1, offered or said at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.authority import Authority
from tests.dataplane.harness import Backend, Proxy, proxy
from tests.rigs.curl import curl

pytestmark = pytest.mark.real
GET = b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n"
#: The preface with an empty SETTINGS frame, and a request behind it that nobody may see.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00" + GET
VERSION = ("--output", "/dev/null", "--write-out", "%{http_version} %{http_code}")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def secure(tmp_path: Path, authority: Authority, behind: Backend) -> AsyncIterator[Proxy]:
    async with proxy(tmp_path, *authority.sign("site").flags()) as front:
        await front.route("/user/u", behind.url)
        front.tls = authority.visitor()
        yield front


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), (["h3", "h2"], None)]
)
async def test_only_http_1_1_is_agreed_upon(secure: Proxy, offered: list[str], chosen: str | None) -> None:
    assert secure.tls is not None
    secure.tls.set_alpn_protocols(offered)
    wire = await secure.wire()
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
    wire.send(GET)
    assert (await wire.answer()).status == 200


async def test_who_says_it_at_once_is_refused(secure: Proxy, front: Proxy, behind: Backend) -> None:
    for listener in (secure, front):
        wire = await listener.wire()
        wire.send(PREFACE)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert await wire.rest() == b""
    assert not behind.seen


async def test_a_real_client_falls_back_or_fails_at_once(
    secure: Proxy, front: Proxy, authority: Authority, behind: Backend
) -> None:
    trusting = ("--cacert", str(authority.own.cert))
    url = f"https://127.0.0.1:{secure.port}/user/u/x"
    assert await curl("--http2", *trusting, *VERSION, url) == (0, "1.1 200")
    plain = f"http://127.0.0.1:{front.port}/user/u/x"
    assert await curl("--http2", *VERSION, plain) == (0, "1.1 200")
    seen = len(behind.seen)
    failed, _ = await curl("--http2-prior-knowledge", *VERSION, plain)
    assert failed not in (0, 28), "28 is a timeout"
    assert len(behind.seen) == seen
