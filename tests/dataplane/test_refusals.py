"""Requests that could be read in two ways never reach a server."""

from __future__ import annotations

import pytest

from carrel.dataplane.answer_head import read_answer
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.request_head import Peer, read_request
from tests.dataplane.harness import Backend, Proxy

HOST = b"Host: h\r\n"
LINE = b"POST /user/u/x HTTP/1.1\r\n" + HOST

CORPUS = [
    LINE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    LINE + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    LINE + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    LINE + b"Content-Length: 3, 3\r\n\r\nabc",
    LINE + b"Content-Length: +3\r\n\r\nabc",
    LINE + b"Content-Length: -3\r\n\r\nabc",
    LINE + b"Content-Length: 0x3\r\n\r\nabc",
    LINE + b"Content-Length: 3 3\r\n\r\nabc",
    LINE + b"Content-Length: \r\n\r\n",
    LINE + b"Content-Length: 99999999999999999999\r\n\r\n",
    LINE + b"Content-Length : 3\r\n\r\nabc",
    LINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: identity\r\n\r\n",
    LINE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\n\r\n1\nab\n0\n\n",
    LINE + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    LINE + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n",
    b"POST /user/u/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\nHost: h\n\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\n Host: h\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\nX: a\x01b\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\nX\x00: b\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    b"GET /user/u/x HTTP/1.1\r\n\r\n",
    b"GET /user/u/x HTTP/1.2\r\nHost: h\r\n\r\n",
    b"GET /user/u/x HTTP/2.0\r\nHost: h\r\n\r\n",
    b"GET /user/u/x\r\n\r\n",
    b"get /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"FETCH /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /user/u/a b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /user/u/\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /user/u/\x7f HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /user/u/\xff HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /user/u/#x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET user/u/x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET ftp://h/user/u HTTP/1.1\r\nHost: h\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]

PATHS = [
    "/user/u/../v",
    "/user/u/..",
    "/user/./u",
    "/user/u/%2e%2e/v",
    "/user/u/%2E./v",
    "/user/u/a%2F..%2Fb",
    "/user/u%2F..%2Fv/",
    "/user/u/..%2Fv",
    "/user/u/..%5Cv",
    "/user/u/..\\v",
    "/user/u/..;/v",
    "/user/u/..;x=1/v",
]


@pytest.mark.real
async def test_ambiguous_requests_are_refused(front: Proxy, behind: Backend) -> None:
    for raw in CORPUS:
        wire = await front.wire()
        wire.send(raw + b"GET /user/u/smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await wire.answer()
        assert answer.status == 400, raw
        assert await wire.rest() == b"", raw
        assert "smuggled" not in "".join(seen.line for seen in behind.seen), raw


@pytest.mark.real
@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "DESCRIBE"])
async def test_methods_for_other_purposes_are_refused(front: Proxy, behind: Backend, method: str) -> None:
    target = "h:1" if method == "CONNECT" else "/user/u/"
    assert (await front.ask(f"{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())).status in (400, 405)
    assert not behind.seen


@pytest.mark.real
async def test_paths_that_a_server_could_read_differently_are_refused(front: Proxy, behind: Backend) -> None:
    for path in PATHS:
        assert (await front.get(path)).status == 400, path
    assert not behind.seen


@pytest.mark.real
async def test_an_absolute_target_names_the_host(front: Proxy, behind: Backend) -> None:
    answer = await front.ask(b"GET http://real.org/user/u/x?y HTTP/1.1\r\nHost: other\r\n\r\n")
    assert answer.status == 200
    assert behind.seen[0].line == "GET /user/u/x?y HTTP/1.1"
    assert behind.seen[0].one("host") == "real.org"


def _lines(headers: list[tuple[bytes, bytes]], version: str = "1.1") -> bytes:
    lines = b"".join(b"%b: %b\r\n" % pair for pair in [(b"Host", b"h"), *headers])
    raw = b"GET /x HTTP/%b\r\n%b\r\n" % (version.encode(), lines)
    return read_request(raw, Peer("1.2.3.4")).block


def test_nominated_headers_are_dropped_but_not_those_of_the_proxy() -> None:
    nominated = (b"Connection", b"x-a, Host, X-Forwarded-For, X-Forwarded-Host, close")
    lines = _lines([(b"X-A", b"1"), (b"X-B", b"2"), nominated, (b"X-Forwarded-For", b"9")])
    assert b"X-A" not in lines
    assert b"X-B: 2\r\n" in lines
    assert b"Host: h\r\n" in lines
    assert b"X-Forwarded-For: 9,1.2.3.4\r\n" in lines
    assert b"X-Forwarded-Host: h\r\n" in lines


def test_hop_by_hop_headers_stay_here() -> None:
    lines = _lines([(name, b"1") for name in (b"Keep-Alive", b"TE", b"Proxy-Connection", b"Upgrade")])
    assert lines.startswith(b"Host: h\r\nX-Forwarded-For: ")


def test_forwarded_headers_of_an_earlier_proxy_are_kept_and_appended_to() -> None:
    given = [
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-port", b"443"),
        (b"x-forwarded-host", b"out.org"),
    ]
    lines = _lines(given)
    assert b"X-Forwarded-Proto: https,http\r\n" in lines
    assert b"X-Forwarded-Port: 443,80\r\n" in lines
    assert b"X-Forwarded-Host: out.org\r\n" in lines


def test_an_upgrade_is_one_only_without_a_body_and_in_http_1_1() -> None:
    upgrade = [(b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"any")]
    assert b"Connection: Upgrade\r\nUpgrade: any\r\n" in _lines(upgrade)
    assert b"Upgrade" not in _lines([*upgrade, (b"Content-Length", b"1")])
    assert b"Upgrade" not in _lines(upgrade, "1.0")


def test_an_answer_loses_what_its_connection_header_nominates() -> None:
    raw = b"HTTP/1.1 200 \r\nX-A: 1\r\nConnection: close, x-a\r\nX-B: 2\r\n\r\n"
    head = read_answer(raw, len(raw))
    assert head.line + head.passed_on() == b"HTTP/1.1 200 OK\r\nX-B: 2\r\n"


@pytest.mark.parametrize("line", [b"Content-Length: 1x", b"Transfer-Encoding: gzip"])
def test_an_answer_with_doubtful_framing_is_refused(line: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % line
    with pytest.raises(RefusedError) as caught:
        read_answer(raw, len(raw))
    assert caught.value.status == 502
