"""Where a redirect may lead, and what a log may show."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.lib.urls import first_argument, loggable, safe_next, with_arguments

HOST = "hub.example:8000"

REFUSED = [
    "",
    "hub/home",
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\nLocation: https://evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "http:\\\\evil.example",
    "https://evil.example/hub/home",
    "HTTPS://EVIL.EXAMPLE/",
    "//hub.example:8000/hub/home",
    "http://hub.example:8000//evil.example/",
    "http://hub.example:8000/\\evil.example/",
    "http://hub.example:8000@evil.example/",
    "http://hub.example:8000.evil.example/",
    "http://user:pass@hub.example:8000/hub/home",
    "http://hub.example:8000:80/hub/home",
    "http://hub.example/hub/home",
    "ftp://hub.example:8000/hub/home",
    "javascript:alert(1)",
    "JaVaScRiPt://hub.example:8000/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil。example",
    "/./..//evil.example",
    "/%2e%2e//evil.example",
    "/hub/../../elsewhere",
    "?next=//evil.example",
    "#//evil.example",
]


@pytest.mark.parametrize("candidate", REFUSED)
def test_what_may_lead_elsewhere_is_refused(candidate: str) -> None:
    assert safe_next(candidate, HOST, "/") is None


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ("/", "/"),
        ("/hub/home", "/hub/home"),
        ("/user/ada/lab/tree/a%20b.ipynb?x=1&y=%2F#top", "/user/ada/lab/tree/a%20b.ipynb?x=1&y=%2F#top"),
        ("/user/ada/lab/tree/My Notes.ipynb", "/user/ada/lab/tree/My%20Notes.ipynb"),
        ("/user/ada/é", "/user/ada/%C3%A9"),
        ("/%2F%2Fevil.example", "/%2F%2Fevil.example"),
        ("/evil。example", "/evil%E3%80%82example"),
        ("http://hub.example:8000/hub/home?a=b", "/hub/home?a=b"),
        ("https://HUB.example:8000/hub/home", "/hub/home"),
        ("http://hub.example:8000", "/"),
        ("/hub/user-redirect/git-pull?repo=https://elsewhere.example/r", None),
    ],
)
def test_our_own_addresses_are_followed(candidate: str, expected: str | None) -> None:
    assert safe_next(candidate, HOST, "/") == (candidate if expected is None else expected)


@pytest.mark.parametrize(
    ("candidate", "inside"),
    [
        ("/jh/hub/home", True),
        ("/jh/", True),
        ("/jh", True),
        ("/jhub/home", False),
        ("/", False),
        ("/x/jh/", False),
    ],
)
def test_only_what_is_below_the_base_url_is_ours(candidate: str, inside: bool) -> None:
    assert (safe_next(candidate, HOST, "/jh/") is not None) is inside


FRAGMENTS = [
    "/",
    "\\",
    "//",
    "http:",
    "https://",
    HOST,
    "evil.example",
    "@",
    "..",
    ".",
    "%2f",
    "%5c",
    "\t",
    "\r\n",
]
CANDIDATES = st.one_of(
    st.text(),
    st.lists(st.one_of(st.sampled_from([*FRAGMENTS, "?", "#", "。", ":", "hub"]), st.text(max_size=3))).map(
        "".join
    ),
)


@given(CANDIDATES)
def test_no_redirect_ever_leaves_the_host(candidate: str) -> None:
    result = safe_next(candidate, HOST, "/")
    if result is None:
        return
    assert result.startswith("/")
    assert not result.startswith("//")
    assert "\\" not in result
    assert result.isascii()
    assert result.isprintable()
    assert urlsplit(result).netloc == ""
    assert urlsplit(urljoin(f"http://{HOST}/hub/login", result)).netloc == HOST


def test_arguments_are_set_once() -> None:
    assert with_arguments("/a?x=1&redirects=1", redirects="2") == "/a?x=1&redirects=2"
    assert with_arguments("/a", next="/b?c=d&e") == "/a?next=/b%3Fc%3Dd%26e"
    assert first_argument("next=/b%3Fc%3Dd%26e&next=x", "next") == "/b?c=d&e"
    assert first_argument("a=b", "next") == ""


@pytest.mark.parametrize("name", ["token", "code", "state", "_xsrf", "TOKEN", "%74oken", "password"])
def test_secrets_do_not_reach_the_log(name: str) -> None:
    shown = loggable(f"/hub/x?a=1&{name}=canary&b=2")
    assert "canary" not in shown
    assert shown.endswith("&b=2")


@pytest.mark.parametrize("name", ["code", "state", "token", "_xsrf", "refresh_token", "STATE"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_neither_does_an_address_inside_an_address(name: str, depth: int) -> None:
    inner = f"/hub/authorize?a=1&{name}=canary/%3D&b=2"
    for _ in range(depth):
        inner = quote(inner, safe="")
    shown = loggable(f"/hub/login?next={inner}&c=3")
    assert "canary" not in shown
    assert shown.count("[secret]") == 1
    assert shown.endswith("&c=3")


@given(st.text())
def test_a_logged_url_is_one_line_of_bounded_length(url: str) -> None:
    shown = loggable(url)
    assert shown.isprintable()
    assert len(shown) <= 10 * 501
