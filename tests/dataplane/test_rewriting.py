"""Flags that change requests on their way in and redirects on their way out, through a running proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.harness import Backend, Proxy, proxy

pytestmark = pytest.mark.real


@pytest.fixture
def flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return tuple(request.param)


@pytest.fixture
async def changing(tmp_path: Path, behind: Backend, flags: tuple[str, ...]) -> AsyncIterator[Proxy]:
    async with proxy(tmp_path, *flags) as running:
        await running.route("/user/u", behind.url + "/pre")
        yield running


def with_flags(*flags: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("flags", [flags], indirect=True, ids=[flags[0]])


@with_flags("--custom-header", "X-A: one:two", "--custom-header", "x-b:2")
async def test_custom_headers_replace_the_clients(changing: Proxy, behind: Backend) -> None:
    await changing.get("/user/u/x", "x-a: mine", "X-Other: x-a", "X-B: mine", "X-B: again")
    seen = behind.seen[0]
    assert (seen.one("x-a"), seen.one("x-b"), seen.one("x-other")) == ("one:two", "2", "x-a")
    assert (seen.one("host"), seen.one("x-forwarded-proto")) == ("h", "http")


@with_flags("--no-x-forward")
async def test_without_x_forward_the_clients_own_pass(changing: Proxy, behind: Backend) -> None:
    await changing.get("/user/u/x", "X-Forwarded-For: 9.9.9.9")
    await changing.get("/user/u/x")
    assert behind.seen[0].all("x-forwarded-for") == ["9.9.9.9"]
    assert not [
        name for seen in behind.seen for name, _ in seen.headers if name.lower() == "x-forwarded-host"
    ]
    assert not behind.seen[1].all("x-forwarded-for")


@with_flags("--no-prepend-path")
async def test_without_prepending_the_targets_path_is_not_sent(changing: Proxy, behind: Backend) -> None:
    await changing.get("/user/u/x")
    assert behind.seen[0].line == "GET /user/u/x HTTP/1.1"


@with_flags("--no-include-prefix")
async def test_without_the_prefix_the_rest_is_sent(changing: Proxy, behind: Backend) -> None:
    await changing.route("/bare", behind.url)
    for path in ("/user/u/a%2Fb//c?y=/1", "/user/u", "/%75ser/u/", "/bare?x", "/bare/y"):
        assert (await changing.get(path)).status == 200
    paths = [seen.line.split()[1] for seen in behind.seen]
    assert paths == ["/pre/a%2Fb//c?y=/1", "/pre", "/pre/", "/?x", "/y"]


async def test_the_hub_is_asked_for_the_original_path(tmp_path: Path, behind: Backend) -> None:
    flags = ("--no-include-prefix", "--error-target", behind.url, "--error-page-cache", "0")
    async with proxy(tmp_path, *flags) as front:
        await front.route("/user/dead", "http://127.0.0.1:9")
        await front.get("/user/dead/x?y", "Accept: text/html")
    assert behind.seen[0].line == "GET /503?url=%2Fuser%2Fdead%2Fx%3Fy HTTP/1.1"


@with_flags("--change-origin")
async def test_the_target_is_named_in_the_host_header(changing: Proxy, behind: Backend) -> None:
    await changing.get("/user/u/x")
    assert behind.seen[0].one("host") == behind.url.removeprefix("http://")
    assert behind.seen[0].one("x-forwarded-host") == "h"


async def _location(front: Proxy, behind: Backend, location: str) -> str:
    behind.canned["moved"] = (
        f"HTTP/1.1 302 F\r\nX: y\r\nLOCATION: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    return (await front.get("/user/u/moved")).headers["location"]


@with_flags("--auto-rewrite", "--protocol-rewrite", "https")
async def test_redirects_to_the_target_lead_to_the_proxy(changing: Proxy, behind: Backend) -> None:
    assert await _location(changing, behind, behind.url + "/z?q=1") == "https://h/z?q=1"
    for other in ("http://other:1/z", "/rel", "http://127.0.0.1:9/", "http://[bad", "//h/x"):
        assert await _location(changing, behind, other) == other


@with_flags("--protocol-rewrite", "https")
async def test_the_scheme_alone_is_changed(changing: Proxy, behind: Backend) -> None:
    expected = behind.url.replace("http:", "https:") + "/z"
    assert await _location(changing, behind, behind.url + "/z") == expected


@with_flags("--auto-rewrite")
async def test_other_answers_keep_their_location(changing: Proxy, behind: Backend) -> None:
    location = behind.url + "/z"
    behind.canned["ok"] = f"HTTP/1.1 200 OK\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    assert (await changing.get("/user/u/ok")).headers["location"] == location


@with_flags("--host-routing")
async def test_the_host_is_the_first_segment(changing: Proxy, behind: Backend) -> None:
    await changing.route("/u.example/lab", behind.url)
    expected = {
        "u.example": 200,
        "U.Example:8000": 200,
        "u.example.": 200,
        "u.example.:80": 200,
        "u.example..": 404,
        "example": 404,
        "user": 404,
    }
    for host, status in expected.items():
        request = f"GET /lab/x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        assert (await changing.ask(request)).status == status, host
    assert behind.seen[0].line == "GET /lab/x HTTP/1.1"
    # The route without a host is one for a host named `user`.
    assert (await changing.ask(b"GET /u/x HTTP/1.1\r\nHost: user\r\n\r\n")).status == 200


@with_flags("--host-routing", "--no-include-prefix")
async def test_the_host_is_no_part_of_the_path(changing: Proxy, behind: Backend) -> None:
    await changing.route("/u.example/lab", behind.url)
    await changing.ask(b"GET /lab/x HTTP/1.1\r\nHost: u.example\r\n\r\n")
    assert behind.seen[0].line == "GET /x HTTP/1.1"
