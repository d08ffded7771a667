"""The same calls and requests to configurable-http-proxy and to carrel-proxy, side by side.

What is meant to be different stands in decision 4, and is asserted here for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from carrel.dataplane.flags import CHP as FLAGS
from tests.dataplane.harness import TOKEN, Answer, Backend, Proxy, proxy, until
from tests.rigs.needs import need
from tests.rigs.systems import CHP, free_port

pytestmark = pytest.mark.real

_MOMENT = re.compile(rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')
#: Those of one connection, and of how a body is framed.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}
_UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n"
)


@dataclass
class Pair:
    """Both proxies, with the same flags: each call is made with one and then with the other."""

    theirs: Proxy
    ours: Proxy

    async def api(
        self, method: str, path: str, body: object = None, authorization: str | None = f"token {TOKEN}"
    ) -> tuple[Answer, Answer]:
        first = await self.theirs.api(method, path, body, authorization)
        return first, await self.ours.api(method, path, body, authorization)

    async def ask(self, raw: bytes) -> tuple[Answer, Answer]:
        return await self.theirs.ask(raw), await self.ours.ask(raw)

    async def get(self, path: str, *headers: str) -> tuple[Answer, Answer]:
        return await self.theirs.get(path, *headers), await self.ours.get(path, *headers)

    async def route(self, spec: str, target: str) -> None:
        await self.theirs.route(spec, target)
        await self.ours.route(spec, target)

    async def moves(self, act: Callable[[Proxy], Awaitable[object]]) -> tuple[bool, bool]:
        """Tell of each whether something counts as activity of the route /u."""
        return await _moves(self.theirs, act), await _moves(self.ours, act)


@contextlib.asynccontextmanager
async def _theirs(*flags: str) -> AsyncIterator[Proxy]:
    need(CHP.exists(), "configurable-http-proxy, which npm installs,")
    port, api = free_port(), free_port()
    place = ("--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api))
    process = await asyncio.create_subprocess_exec(
        *(str(CHP), *place, "--log-level", "error", *flags),
        env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN},
    )
    try:
        await until(lambda: _is_open(port) and _is_open(api), "configurable-http-proxy listens", 30)
        running = Proxy(process, port, api)
        yield running
        for wire in running.wires:
            wire.close()
    finally:
        process.kill()
        await process.wait()


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.asynccontextmanager
async def _both(directory: Path, *flags: str, ours: tuple[str, ...] = ()) -> AsyncIterator[Pair]:
    async with _theirs(*flags) as theirs, proxy(directory, *flags, *ours) as own:
        yield Pair(theirs, own)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with _both(tmp_path) as running:
        yield running


def _shown(answer: Answer) -> tuple[int, object, str]:
    """Return what callers look at: status, body, and its type where it is JSON."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        return answer.status, msgspec.json.decode(_MOMENT.sub(b'"MOMENT"', answer.body)), kind
    # What is wrong with a call is said in words, and in other ones here.
    return answer.status, bool(answer.body) if answer.status == 400 else answer.body, ""


TARGET = {"target": "http://127.0.0.1:1"}
CALLS: list[tuple[str, str, object]] = [
    ("GET", "/api/routes", None),
    ("GET", "/api/routes/", None),
    ("POST", "/api/routes/user/ada", TARGET),
    ("GET", "/api/routes/user/ada", None),
    (
        "POST",
        "/api/routes/user/ada/",
        {**TARGET, "user": "ada", "x": [1, None, {"y": "ü"}], "jupyterhub": True},
    ),
    *(("GET", f"/api/routes{path}", None) for path in ("/user/ada", "/user/ada/", "/user/%61da", "/user/ad")),
    *(("GET", f"/api/routes{path}", None) for path in ("/USER/ada", "/user//ada", "/user", "/user/ada/lab")),
    *(("POST", "/api/routes/bad", body) for body in (b"", b"{", b"[]", b"1", b'"x"', b"null", b"\xff")),
    *(("POST", "/api/routes/bad", body) for body in ({}, {"target": 1}, {"target": None}, {"Target": "x"})),
    ("GET", "/api/routes/bad", None),
    *(
        ("POST", f"/api/routes/{name}", TARGET)
        for name in ("j%C3%B6rg", "a%20b", "x%25y", "a;b=c", "a@b~c", "a+b")
    ),
    *(
        ("GET", f"/api/routes/{name}", None)
        for name in ("j%C3%B6rg", "a%20b", "x%25y", "a;b=c", "a@b~c", "a+b")
    ),
    ("GET", "/api/routes", None),
    *(
        ("GET", f"/api/routes?{name}=2000-01-01T00:00:00Z", None)
        for name in ("inactiveSince", "inactive_since")
    ),
    *(
        ("GET", f"/api/routes?{name}=2999-01-01T00:00:00Z", None)
        for name in ("inactiveSince", "inactive_since")
    ),
    *(
        ("GET", f"/api/routes?inactiveSince={date}", None)
        for date in ("2999-01-01", "2000", "2999", "2999-01")
    ),
    *(("GET", f"/api/routes?inactiveSince={date}", None) for date in ("", "soon", "1e3", "2000-13-01")),
    ("GET", "/api/routes?inactiveSince=2999-01-01T00:00:00.000%2B01:00", None),
    ("GET", "/api/routes?other=1", None),
    ("GET", "/api/routes/user/ada?other=1", None),
    *((method, "/api/routes/user/ada", TARGET) for method in ("PUT", "PATCH", "OPTIONS")),
    *((method, "/api/routes", None) for method in ("PATCH", "OPTIONS")),
    *(
        ("GET", path, None)
        for path in ("/", "/api", "/api/", "/api/other", "/api/routesx", "/metrics", "/x?y")
    ),
    *((method, "/nowhere", None) for method in ("POST", "DELETE", "PUT")),
    ("DELETE", "/api/routes/user/ada", None),
    ("DELETE", "/api/routes/user/ada", None),
    ("DELETE", "/api/routes/nobody", None),
    ("POST", "/api/routes", TARGET),
    ("GET", "/api/routes", None),
    ("DELETE", "/api/routes/", None),
    ("POST", "/api/routes/", TARGET),
    ("DELETE", "/api/routes/", None),
    ("DELETE", "/api/routes/", None),
]


async def test_the_rest_api_answers_alike(pair: Pair) -> None:
    different = []
    for method, path, body in CALLS:
        theirs, ours = await pair.api(method, path, body)
        if _shown(theirs) != _shown(ours):
            different.append(f"{method} {path} {body!r}: {_shown(theirs)}, here {_shown(ours)}")
    assert not different, "\n".join(different)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "token",
        "token ",
        "token wrong",
        f"token {TOKEN}x",
        f"Bearer {TOKEN}",
        TOKEN,
        f"token  {TOKEN}",
    ],
)
async def test_the_token_is_asked_for_alike(pair: Pair, authorization: str | None) -> None:
    await pair.route("/user/ada", "http://127.0.0.1:1")
    for method, path in (
        ("GET", "/api/routes"),
        ("POST", "/api/routes/x"),
        ("DELETE", "/api/routes/user/ada"),
    ):
        body = TARGET if method == "POST" else None
        theirs, ours = await pair.api(method, path, body, authorization)
        assert _shown(theirs) == _shown(ours)
        assert (ours.status == 403) == (authorization != f"token  {TOKEN}")
    left = await pair.ours.api("GET", "/api/routes/user/ada")
    assert left.status == (404 if authorization == f"token  {TOKEN}" else 200)


@pytest.mark.parametrize(
    ("method", "path", "body", "theirs", "ours"),
    [
        ("POST", "/api/routes/x", {"target": "ftp://h"}, 201, 400),
        ("POST", "/api/routes/x", {"target": ""}, 201, 400),
        ("POST", "/api/routes/x", {"target": "nonsense"}, 201, 400),
        ("PUT", "/api/routes", {"routes": {}}, 405, 204),
        ("GET", "/api/status", None, 404, 200),
    ],
)
async def test_calls_that_are_meant_to_be_different(
    pair: Pair, method: str, path: str, body: object, theirs: int, ours: int
) -> None:
    answers = await pair.api(method, path, body)
    assert [answer.status for answer in answers] == [theirs, ours]


async def test_an_escaped_slash_stays_one_here(pair: Pair, behind: Backend) -> None:
    await pair.route("/a%2Fb", behind.url)
    listed = [(await one.api("GET", "/api/routes")).json().keys() for one in (pair.theirs, pair.ours)]
    assert [list(specs) for specs in listed] == [["/a/b"], ["/a%2Fb"]]
    found = [
        [(await one.get(path)).status for path in ("/a/b", "/a%2Fb")] for one in (pair.theirs, pair.ours)
    ]
    assert found == [[200, 200], [404, 200]]


def _get(path: str) -> bytes:
    return f"GET /u/{path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


ACTIVE: dict[str, tuple[bytes, bool]] = {
    **{f"an answer {status}": (_get(str(status)), status < 300) for status in (200, 201, 204, 299, 302, 304)},
    **{f"an answer {status}": (_get(str(status)), False) for status in (400, 403, 404, 500, 503)},
    "a body that is refused": (b"POST /u/404 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", True),
    "a refused upgrade": (_get("404")[:-2] + _UPGRADE + b"\r\n", False),
    "nothing": (b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", False),
}


async def _wait_for_the_next_millisecond() -> None:
    end = asyncio.get_running_loop().time() + 0.005
    await until(lambda: asyncio.get_running_loop().time() > end, "the clock moves")


async def _moves(one: Proxy, act: Callable[[Proxy], Awaitable[object]]) -> bool:
    before = await one.activity("/u")
    await _wait_for_the_next_millisecond()
    await act(one)
    return await one.activity("/u") != before


async def test_the_same_requests_count_as_activity(pair: Pair, behind: Backend) -> None:
    for status in (200, 201, 204, 299, 302, 304, 400, 403, 404, 500, 503):
        length = b"" if status in (204, 304) else b"Content-Length: 0\r\n"
        behind.canned[str(status)] = b"HTTP/1.1 %d X\r\n%b\r\n" % (status, length)
    await pair.route("/u", behind.url)
    for name, (raw, counts) in ACTIVE.items():
        moved = await pair.moves(functools.partial(Proxy.ask, raw=raw))
        assert moved == (counts, counts), name


async def test_what_becomes_of_the_route_itself_counts_alike(pair: Pair) -> None:
    await pair.route("/u", "http://127.0.0.1:1")
    assert await pair.moves(lambda one: one.ask(_get("dead"))) == (False, False)
    assert await pair.moves(lambda one: one.api("GET", "/api/routes")) == (
        False,
        False,
    )
    again = await pair.moves(lambda one: one.route("/u", "http://127.0.0.1:1", x=1))
    assert again == (True, True)


@pytest.mark.parametrize(("which", "opening_counts"), [("theirs", False), ("ours", True)])
async def test_what_comes_through_a_websocket_counts_and_opening_one_does_here(
    pair: Pair, behind: Backend, which: str, opening_counts: bool
) -> None:
    one = pair.ours if which == "ours" else pair.theirs
    await one.route("/u", behind.url)
    wire = await one.wire()

    async def opens(_: Proxy) -> None:
        wire.send(_get("upgrade")[:-2] + _UPGRADE + b"\r\n")
        assert (await wire.head())[0] == 101

    async def echoes(_: Proxy) -> None:
        wire.send(b"ping")
        assert await wire.reader.readexactly(4) == b"ping"

    async def rests(_: Proxy) -> None:
        pass

    assert await _moves(one, opens) == opening_counts
    assert await _moves(one, echoes)
    assert not await _moves(one, rests)


REQUESTS = {
    "no route": b"GET /nowhere HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "no route for an upgrade": b"GET /nowhere HTTP/1.1\r\nHost: h\r\n" + _UPGRADE + b"\r\n",
    "a dead server": b"GET /dead HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "a dead server for an upgrade": b"GET /dead HTTP/1.1\r\nHost: h\r\n" + _UPGRADE + b"\r\n",
    "health": b"GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "health, posted": b"POST /_chp_healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "not health": b"GET /_chp_healthz/ HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "served": b"GET /u/served HTTP/1.1\r\nHost: h\r\n\r\n",
    "missing": b"GET /u/missing HTTP/1.1\r\nHost: h\r\n\r\n",
    "by a longer route": b"GET /u/deep/er/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "beside a route": b"GET /uu HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
}


async def test_errors_have_the_same_status_and_kind(pair: Pair, behind: Backend) -> None:
    behind.canned["served"] = b"HTTP/1.1 200 Fine\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok"
    behind.canned["missing"] = b"HTTP/1.1 404 Gone\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nno"
    for spec, url in (("/u", behind.url), ("/u/deep", behind.url), ("/dead", "http://127.0.0.1:1")):
        await pair.route(spec, url)
    for name, raw in REQUESTS.items():
        theirs, ours = await pair.ask(raw)
        assert theirs.status == ours.status, name
        kinds = [answer.headers.get("content-type", "").partition(";")[0] for answer in (theirs, ours)]
        assert kinds[0] == kinds[1], name
        if kinds[0] != "text/html":
            assert theirs.body == ours.body, name


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n"])
async def test_a_server_without_a_usable_answer_is_another_failure_here(pair: Pair, said: bytes) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    await pair.route("/u", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert [answer.status for answer in await pair.get("/u/x")] == [503, 502]
    server.close()


def _fields(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in _HOP}


async def test_the_error_targets_page_is_shown_alike(tmp_path: Path, behind: Backend) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Own: 1\r\nContent-Length: 4\r\n\r\npage"
    behind.canned |= {"404": page, "503": page}
    target = f"{behind.url}/hub/error"
    async with _both(tmp_path, "--error-target", target, ours=("--error-page-cache", "0")) as pair:
        await pair.route("/dead", "http://127.0.0.1:1")
        for path in ("/nowhere/x?a=b&c=%20d", "/dead/x?y"):
            behind.seen.clear()
            theirs, ours = await pair.get(path, "Accept: text/html")
            assert (theirs.status, theirs.body) == (ours.status, ours.body)
            assert _fields(theirs) == {k: v for k, v in _fields(ours).items() if k != "retry-after"}
            assert behind.seen[0].line == behind.seen[1].line


async def test_pages_from_a_directory_are_shown_alike(tmp_path: Path) -> None:
    (tmp_path / "404.html").write_text("404 of ours")
    (tmp_path / "error.html").write_text("the rest")
    async with _both(tmp_path, "--error-path", str(tmp_path)) as pair:
        await pair.route("/dead", "http://127.0.0.1:1")
        for path in ("/nowhere", "/dead"):
            theirs, ours = await pair.get(path, "Accept: text/html")
            assert (theirs.status, theirs.body) == (ours.status, ours.body)


#: Flags that change requests and answers.
CHANGES = [
    (),
    ("--no-x-forward",),
    ("--no-prepend-path",),
    ("--no-include-prefix",),
    ("--change-origin",),
    ("--auto-rewrite",),
    ("--protocol-rewrite", "https"),
    ("--auto-rewrite", "--protocol-rewrite", "https"),
    ("--custom-header", "X-A: one:two", "--custom-header", "x-b:2"),
    ("--host-routing",),
]


@pytest.mark.parametrize("flags", CHANGES, ids=" ".join)
async def test_flags_change_the_same(tmp_path: Path, behind: Backend, flags: tuple[str, ...]) -> None:
    moved = f"HTTP/1.1 302 F\r\nLocation: {behind.url}/z?q=1\r\nContent-Length: 0\r\n\r\n"
    behind.canned["moved"] = moved.encode()
    spec = "/h.example/u" if "--host-routing" in flags else "/u"
    requests = [
        ("/u/x?y=/1", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "x-a: mine"),
        ("/u/a%2Fb//c", "Cookie: a=b; c=d"),
        ("/u/moved",),
    ]
    async with _both(tmp_path, *flags) as pair:
        await pair.route(spec, behind.url + "/pre")
        for path, *headers in requests:
            behind.seen.clear()
            lines = [f"GET {path} HTTP/1.1", "Host: h.example:8000", *headers, "", ""]
            raw = "\r\n".join(lines).encode()
            theirs, ours = await pair.ask(raw)
            assert (theirs.status, _fields(theirs)) == (ours.status, _fields(ours))
            seen = [
                (each.line, sorted((k.lower(), v) for k, v in each.headers if k.lower() not in _HOP))
                for each in behind.seen
            ]
            assert seen[0] == seen[1]


async def test_metrics_have_the_same_names(tmp_path: Path) -> None:
    found = []
    for run in (_theirs, lambda *flags: proxy(tmp_path, *flags)):
        port = free_port()
        async with run("--metrics-ip", "127.0.0.1", "--metrics-port", str(port)) as one:
            await one.get("/nowhere")
            one.port = port
            text = (await one.get("/metrics")).body.decode()
        found.append(set(re.findall(r"^# TYPE (\S+ \S+)$", text, re.MULTILINE)))
    theirs = {each for each in found[0] if not each.startswith(("nodejs_", "process_"))}
    assert theirs
    assert theirs <= found[1]


async def test_the_flags_are_those_that_it_names_itself() -> None:
    need(CHP.exists(), "configurable-http-proxy, which npm installs,")
    process = await asyncio.create_subprocess_exec(str(CHP), "--help", stdout=asyncio.subprocess.PIPE)
    text = (await process.communicate())[0].decode()
    named = dict(re.findall(r"^  --([a-z0-9-]+)( <[^>]+>)?", text, re.MULTILINE))
    assert {name: bool(value) for name, value in named.items()} == {
        flag.name: flag.read is not None for flag in FLAGS
    }
