"""A corpus of requests that parsers disagree about, through the proxy to servers that parse differently."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.dataplane.corpus import bodies, framing, lines
from tests.dataplane.corpus.cases import Call, Case, hidden
from tests.dataplane.corpus.servers import NGINX, Noted, Server, nginx, uvicorn
from tests.dataplane.harness import Proxy, Wire, proxy, until
from tests.rigs.needs import need

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
CASES = [*framing.cases(), *lines.cases(), *bodies.cases()]
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_ECHO = re.compile(rb"\r\nx-echo: /user/u/([^\r]*)\r\n", re.IGNORECASE)


def _server(name: str, directory: Path) -> AbstractAsyncContextManager[Server]:
    return nginx(directory) if name == "nginx" else uvicorn(directory, name)


@pytest.fixture(params=["httptools", "h11", "nginx"])
async def behind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    if request.param == "nginx":
        need(NGINX, "nginx")
    async with _server(request.param, tmp_path) as server:
        yield server


def test_the_corpus_has_distinct_cases() -> None:
    assert len({(case.raw, case.name) for case in CASES}) == len(CASES) >= 300


async def test_no_request_is_invented_lost_doubled_or_misattributed(behind: Server, tmp_path: Path) -> None:
    async with proxy(tmp_path) as front:
        await front.route("/user/u", f"http://127.0.0.1:{behind.port}")
        other = await front.wire()
        wrong = []
        for number, case in enumerate(CASES):
            said = await _replay(front, case, f"c{number:04}", other)
            wrong += [f"{case.name}: {said}"] if said else []
        await until(lambda: _after(behind, f"c{len(CASES) - 1:04}"), "the last request is noted")
        wrong += _compare(behind.noted())
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def _after(behind: Server, mark: str) -> bool:
    return any(noted.path == f"/user/u/{mark}.after" for noted in behind.noted())


async def _replay(front: Proxy, case: Case, mark: str, other: Wire) -> str:
    """Send a case, then a request of another client's; return what was wrong with the answers, or nothing."""
    wire = await front.wire()
    wire.send(case.marked(mark))
    try:
        got = await wire.rest()
    except TimeoutError:
        return "no end"
    finally:
        wire.close()
        front.wires.remove(wire)
    other.send(f"GET /user/u/{mark}.after HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    answer = await other.answer()
    if (answer.status, answer.headers.get("x-echo")) != (200, f"/user/u/{mark}.after"):
        return f"another client got {answer}"
    statuses = [int(status) for status in _STATUS.findall(got)]
    echoed = [echo.decode() for echo in _ECHO.findall(got)]
    expected = [f"{mark}.{call.name}" for call in case.calls]
    expected += [f"{mark}.follow"] if case.follows else []
    if case.refused and not {400, 405, 414, 431}.intersection(statuses):
        return f"answered {statuses}"
    return "" if echoed == expected else f"answered {echoed} {statuses}"


def _compare(noted: list[Noted]) -> list[str]:
    """Return what the server saw in another way than it was sent."""
    seen: dict[str, list[Noted]] = {}
    for request in noted:
        # A request that the proxy gave up in its middle was never complete; one without a path was malformed.
        if request.status not in (400, 499) or not request.path:
            seen.setdefault(request.path.removeprefix("/user/u/")[:5], []).append(request)
    wrong = [f"unknown: {requests}" for mark, requests in seen.items() if not re.fullmatch(r"c\d{4}", mark)]
    for number, case in enumerate(CASES):
        mark = f"c{number:04}"
        expected = [*case.calls, *([Call("follow")] if case.follows else []), Call("after")]
        found = seen.get(mark, [])
        same = len(found) == len(expected) and all(map(_same, found, expected, [mark] * len(found)))
        wrong += [] if same else [f"{case.name}: the server saw {found}"]
    return wrong


def _same(noted: Noted, call: Call, mark: str) -> bool:
    body = hidden(mark) if b"hidden" in call.body else call.body
    same_body = noted.body is None or noted.body.encode("latin-1") == body
    return (
        noted.status == 200
        and noted.method == call.method
        and same_body
        and noted.path == (f"/user/u/{mark}.{call.name}")
    )
