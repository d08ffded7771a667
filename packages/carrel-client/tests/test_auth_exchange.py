"""Requests and answers without a framework."""

from __future__ import annotations

import pytest

from carrel_client.auth.exchange import Cookie, Request, form_xsrf, redirect


def asked(**headers: str) -> Request:
    return Request("GET", "/a?b=c", {name.replace("_", "-"): value for name, value in headers.items()})


def test_cookies_survive_strange_neighbours() -> None:
    request = asked(cookie='a=1; b="2"; {json}=[1,2]; c; =x; d=e=f; a=9')
    assert {name: request.cookies[name] for name in "abd"} == {"a": "1", "b": "2", "d": "e=f"}


@pytest.mark.parametrize(
    ("forwarded", "scheme", "expected"),
    [("", "http", False), ("", "https", True), ("https,http", "http", True), ("http", "https", False)],
)
def test_https_is_what_the_browser_speaks(forwarded: str, scheme: str, expected: bool) -> None:
    assert Request("GET", "/", {"x-forwarded-proto": forwarded}, scheme).is_https is expected


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("token a", "a"),
        ("BEARER  a ", "a"),
        ("token", ""),
        ("token ", ""),
        ("token a b", "a b"),
        ("tokenx", None),
        ("Basic x", None),
        ("", None),
    ],
)
def test_the_token_in_the_header(header: str, token: str | None) -> None:
    assert asked(authorization=header).authorization == token


def test_a_redirect_fits_into_a_header() -> None:
    assert redirect("/a/%20?b=€ä#c").location == "/a/%20?b=%E2%82%AC%C3%A4#c"


def test_arguments() -> None:
    request = Request("GET", "/a?b=1&b=2&c=%20&d", {})
    assert [request.argument(name) for name in "bcdx"] == ["2", " ", "", ""]
    assert request.path == "/a"


def test_a_cookies_header() -> None:
    cookie = Cookie("n", "v", "/p/", max_age=5, secure=True, samesite="Lax")
    assert set(cookie.header().split("; ")) == {
        "n=v",
        "Path=/p/",
        "Max-Age=5",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
    }
    assert "expires=Thu, 01 Jan 1970 00:00:01 GMT" in cookie.cleared().header()


@pytest.mark.parametrize(
    ("body", "token"),
    [(b"a=1&_xsrf=x%20y", "x y"), (b"", ""), (b"\xff\xfe", ""), (b"&".join([b"a=1"] * 1001), "")],
)
def test_the_xsrf_field_of_a_form(body: bytes, token: str) -> None:
    assert form_xsrf(body) == token
