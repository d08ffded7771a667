"""The same calls to configurable-http-proxy's REST API and to carrel-proxy's, and what counts as activity.

What is meant to be different stands in decision 4, and is asserted here for both.
"""

from __future__ import annotations

import functools
import re

import msgspec
import pytest

from tests.dataplane.harness import TOKEN, Answer, Backend, Proxy
from tests.dataplane.side_by_side import UPGRADE, Pair, moves

pytestmark = pytest.mark.real

_MOMENT = re.compile(rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')


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
    "a refused upgrade": (_get("404")[:-2] + UPGRADE + b"\r\n", False),
    "nothing": (b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", False),
}


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
        wire.send(_get("upgrade")[:-2] + UPGRADE + b"\r\n")
        assert (await wire.head())[0] == 101

    async def echoes(_: Proxy) -> None:
        wire.send(b"ping")
        assert await wire.reader.readexactly(4) == b"ping"

    async def rests(_: Proxy) -> None:
        pass

    assert await moves(one, opens) == opening_counts
    assert await moves(one, echoes)
    assert not await moves(one, rests)
