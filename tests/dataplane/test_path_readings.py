"""Any path whatever leads to the route of the path that the server behind reads, or is refused."""

from __future__ import annotations

import contextlib
import http.client
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from carrel.dataplane.paths import BadPathError
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.request_head import Peer, read_request
from carrel.dataplane.routes import RouteTable
from carrel.testing.clock import FakeClock
from tests.dataplane.corpus.servers import NGINX, nginx, uvicorn
from tests.rigs.needs import need

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

#: Users with names that are parts of others, named servers, a service, and the hub behind the rest.
SPECS = [
    "/",
    "/user/a",
    "/user/a/b",
    "/user/ab",
    "/user/j%C3%B6rg",
    "/user/a%20b",
    "/user/a;b",
    "/services/a",
]
#: What paths are made of; most of it is what two parsers have read differently somewhere.
PIECES = [
    "/",
    "//",
    "user",
    "User",
    "a",
    "b",
    "ab",
    "services",
    "hub",
    "j%C3%B6rg",
    "jo%CC%88rg",
    "%61",
    "%41",
]
PIECES += [
    "%2F",
    "%2f",
    "%5C",
    "\\",
    ".",
    "..",
    "...",
    "%2e",
    "%2E%2e",
    ";",
    "%3B",
    ";x=1",
    "%00",
    "%0a",
    "%20",
]
PIECES += [
    "%25",
    "%252F",
    "%252e",
    "%",
    "%2",
    "%zz",
    "+",
    "~",
    "@",
    ":",
    "%3F",
    "%23",
    "%C0%AF",
    "%FF",
    "x",
    "*",
]
paths = st.lists(st.sampled_from(PIECES), max_size=9).map(lambda pieces: "/" + "".join(pieces))
SEPARATORS = ["/", "/", "/", "//", "%2F", "%2f", "/%2F", "%2F/", "/./", "\\", "%5C", ";/", "%252F"]


@st.composite
def disguised(draw: st.DrawFn) -> str:
    """Return the path of a route, or one near it, written in another way."""
    pieces = draw(st.sampled_from(SPECS)).strip("/").split("/") + draw(
        st.lists(st.sampled_from(["a", "b", "ab", "user", "x", "services"]), max_size=2)
    )
    path = draw(st.sampled_from(["", "/", "//", "/%2F"]))
    for piece in pieces:
        coded = draw(st.booleans()) and piece[:1].isalpha()
        path += draw(st.sampled_from(SEPARATORS)) + (f"%{ord(piece[0]):02x}{piece[1:]}" if coded else piece)
    path += draw(st.sampled_from(["", "/", "//", "%2F", "/x", "/..", "?a=/user/b"]))
    return path if path.startswith("/") else f"/{path}"


def _chosen(table: RouteTable, path: str) -> str | None:
    """Return the specification of the route that the proxy chooses, or None when it refuses the request."""
    try:
        request = read_request(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode(), Peer("1.2.3.4"))
        route = table.find(request.path)
    except (BadPathError, RefusedError):
        return None
    assert route is not None
    return route.spec


def _expected(table: RouteTable, decoded: bytes) -> str:
    """Return the specification of the longest route that a decoded path is below."""
    pieces = decoded.split(b"/")[1:]
    fitting = [route for route in table.all() if tuple(pieces[: len(route.segments)]) == route.segments]
    return max(fitting, key=lambda route: len(route.segments)).spec


class _Reader:
    """A server that says which path it reads."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def read(self, path: str) -> bytes | None:
        """Return the decoded path, or None when the server refuses it."""
        self._connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        self._connection.putheader("Host", "h")
        self._connection.endheaders()
        answer = self._connection.getresponse()
        body = answer.read()
        return body if answer.status == 200 else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


async def test_the_proxy_and_the_servers_read_paths_alike(tmp_path: Path) -> None:
    need(NGINX, "nginx")
    table = RouteTable(FakeClock())
    for spec in SPECS:
        table.add(spec, {"target": "http://127.0.0.1:1"})
    served: set[str] = set()
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    async with uvicorn(one, "httptools") as first, nginx(two) as second:
        with (
            contextlib.closing(_Reader(first.port)) as asgi,
            contextlib.closing(_Reader(second.port)) as native,
        ):

            @seed(30)
            @settings(
                max_examples=1500, deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )
            @given(st.one_of(paths, disguised(), disguised()))
            def agree(path: str) -> None:
                chosen = _chosen(table, path)
                if chosen is None:
                    return
                served.add(chosen)
                for server in (asgi, native):
                    decoded = server.read(path)
                    if decoded is not None:
                        assert chosen == _expected(table, decoded), decoded

            agree()
    # Nothing is shown by refusing everything.
    assert len(served) == len(SPECS)
