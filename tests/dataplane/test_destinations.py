"""The host that a request goes to is that of its route, whatever the request says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.harness import TOKEN, Backend, Proxy, backend, proxy

pytestmark = pytest.mark.real


@pytest.fixture
async def evil() -> AsyncIterator[Backend]:
    """A server that no route leads to."""
    async with backend() as server:
        yield server


def _requests(evil: str) -> list[bytes]:
    """Return requests that name another server wherever one can be named."""
    targets = [
        f"http://{evil}/user/u/x",
        f"http://{evil}",
        f"//{evil}/x",
        f"/user/u@{evil}/x",
        f"/@{evil}/user/u",
    ]
    targets += [
        f"/user/u/http://{evil}/",
        f"/user/u/?url=http://{evil}/",
        f"/user/u/x;http://{evil}",
        f"/{evil}/",
    ]
    targets += [
        f"http://u@{evil}/user/u/",
        f"http://h@{evil}/user/u/",
        f"/user/u%40{evil}/",
        f"/user/u/%0d%0aHost:{evil}",
    ]
    lines = [f"GET {target} HTTP/1.1\r\nHost: h\r\n" for target in targets]
    named = [
        "Host",
        "X-Forwarded-Host",
        "X-Forwarded-Server",
        "X-Host",
        "Forwarded",
        "X-Original-URL",
        "X-Rewrite-URL",
    ]
    named += [
        "Proxy",
        "X-Forwarded-For",
        "Referer",
        "Origin",
        "Location",
        "Via",
        "Alt-Svc",
        "X-Accel-Redirect",
    ]
    for name in named:
        host = "" if name == "Host" else "Host: h\r\n"
        value = f"host={evil}" if name == "Forwarded" else evil
        lines += [
            f"GET /user/u/x HTTP/1.1\r\n{host}{name}: {scheme}{value}\r\n" for scheme in ("", "http://")
        ]
    lines.append(f"GET /user/u/x HTTP/1.1\r\nHost: h\r\nConnection: Host\r\nX: {evil}\r\n")
    lines.append(f"GET /user/u/x HTTP/1.0\r\nHost: {evil}\r\n")
    lines.append(f"CONNECT {evil} HTTP/1.1\r\nHost: {evil}\r\n")
    return [f"{line}Connection: close\r\n\r\n".encode() for line in lines]


@pytest.mark.parametrize(
    "flags", [(), ("--change-origin",), ("--auto-rewrite",), ("--no-x-forward",)], ids=str
)
async def test_a_request_goes_to_its_routes_target_or_nowhere(
    tmp_path: Path, behind: Backend, evil: Backend, flags: tuple[str, ...]
) -> None:
    error = ("--error-target", f"{behind.url}/hub/error", "--error-page-cache", "0")
    async with proxy(tmp_path, *flags, *error) as front:
        await front.route("/user/u", behind.url)
        answered = 0
        for raw in _requests(evil.url.removeprefix("http://")):
            for accept in (b"", b"Accept: text/html\r\n"):
                wire = await front.wire()
                wire.send(raw.replace(b"\r\n", b"\r\n" + accept, 1))
                answered += (await wire.rest()).startswith(b"HTTP/1.1 200")
    assert evil.connections == 0
    assert answered > 20


async def test_a_server_cannot_send_the_proxy_elsewhere(front: Proxy, behind: Backend, evil: Backend) -> None:
    for status in (301, 302, 303, 307, 308, 305):
        behind.canned["moved"] = (
            b"HTTP/1.1 %d Go\r\nLocation: %b/x\r\nX-Accel-Redirect: %b\r\nContent-Length: 0\r\n\r\n"
            % (
                status,
                evil.url.encode(),
                evil.url.encode(),
            )
        )
        answer = await front.get("/user/u/moved")
        assert (answer.status, answer.headers["location"]) == (status, f"{evil.url}/x")
    assert evil.connections == 0


@pytest.mark.parametrize("authorization", [None, "token wrong", f"basic {TOKEN}"])
async def test_only_who_has_the_token_sets_where_requests_go(
    front: Proxy, behind: Backend, evil: Backend, authorization: str | None
) -> None:
    routes = {"/user/u": {"target": evil.url}}
    for method, path, body in (
        ("POST", "/api/routes/user/u", routes["/user/u"]),
        ("POST", "/api/routes/", routes["/user/u"]),
        ("PUT", "/api/routes", {"routes": routes}),
    ):
        assert (await front.api(method, path, body, authorization)).status == 403
    assert (await front.get("/user/u/x")).status == 200
    assert (len(behind.seen), evil.connections) == (1, 0)
