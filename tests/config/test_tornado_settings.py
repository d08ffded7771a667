"""What of `tornado_settings` is obeyed, doubted and refused."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.config.schema import Settings
from carrel.config.tornado import check_cookies, check_tornado, cookie_options, may_be_framed

Findings = list[tuple[str, bool]]


def findings(given: dict[str, Any], **settings: Any) -> Findings:
    chosen = Settings(tornado_settings=given, **settings)
    return [(text, fatal) for _, text, fatal in (*check_tornado(chosen), *check_cookies(chosen))]


@pytest.mark.parametrize(
    ("given", "expected", "fatal"),
    [
        ({"log_function": print}, "not used by this version: log_function", False),
        ({"headers": "x"}, "headers must be a dictionary", True),
        ({"cookie_options": []}, "cookie_options must be a dictionary", True),
        ({"cookie_options": {"SameSite": "Some"}}, "must be 'Lax', 'Strict' or 'None', not 'Some'", True),
        ({"cookie_options": {"SameSite": "None"}}, "SameSite=None over HTTPS alone", False),
        ({"xsrf_cookie_kwargs": {"httponly": True}}, "httponly is not used", False),
        ({"cookie_options": {"max_age": 1}}, "cookie_max_age_days", False),
        ({"cookie_options": {"colour": "red"}}, "colour is not used", False),
        ({"headers": {"X-A": "b\r\nSet-Cookie: c"}}, "'x-a' cannot be sent", True),
        ({"headers": {"X A": "b"}}, "'x a' cannot be sent", True),
    ],
)
def test_each_mistake_is_told(given: dict[str, Any], expected: str, fatal: bool) -> None:
    (found,) = findings(given)
    assert expected in found[0]
    assert found[1] is fatal


@pytest.mark.parametrize(
    "given",
    [
        {"slow_spawn_timeout": 0, "headers": {"X-Frame-Options": "DENY"}},
        {"cookie_options": {"SameSite": "None", "Secure": True}},
        {"cookie_options": {"samesite": "strict"}, "xsrf_cookie_kwargs": {"secure": True}},
    ],
)
def test_what_is_right_needs_no_words(given: dict[str, Any]) -> None:
    assert findings(given) == []


def test_what_needs_https_is_silent_with_it() -> None:
    given = {"cookie_options": {"SameSite": "None"}}
    assert findings(given, cookie_host_prefix_enabled=True, ssl_cert="x.pem") == []
    assert findings(given, cookie_host_prefix_enabled=True, public_url="https://hub.example/") == []
    (first, second) = findings(given, cookie_host_prefix_enabled=True, public_url="http://hub.example/")
    assert "over HTTPS alone" in first[0]
    assert "over HTTPS alone" in second[0]


def test_the_xsrf_cookie_is_like_the_log_ins_unless_told() -> None:
    settings = Settings(tornado_settings={"cookie_options": {"SameSite": "Strict"}})
    assert cookie_options(settings, "xsrf_cookie_kwargs").same_site == "strict"


@pytest.mark.parametrize(
    ("policy", "framed"),
    [
        ("frame-ancestors 'none'", False),
        ("frame-ancestors", False),
        ("default-src 'self'", False),
        ("frame-ancestors 'self'", True),
        ("default-src *;Frame-Ancestors https://a.example https://b.example", True),
    ],
)
def test_who_may_show_pages_in_a_frame(policy: str, framed: bool) -> None:
    settings = Settings(tornado_settings={"headers": {"content-security-policy": policy}})
    assert may_be_framed(settings) is framed
