"""What passes between browser and application: headers, cookies, redirects and paths."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel_client.application.gate import is_from_here
from carrel_client.application.headers import BadPath, Rules, target_for, to_application, to_browser
from carrel_client.application.identity import identity_headers, read_identity
from carrel_client.auth.exchange import Request
from carrel_client.auth.hub import Visitor

PREFIX = "/user/ada/"
KEEP = Rules(prefix=PREFIX, client_id="jupyterhub-user-ada", identity_header="X-Who")
STRIP = Rules(prefix=PREFIX, client_id="jupyterhub-user-ada", strip_prefix=True)
BOTH = pytest.mark.parametrize("rules", [KEEP, STRIP], ids=["keep", "strip"])
OURS = [("X-Forwarded-User", "ada")]


def passed(*headers: tuple[str, str], rules: Rules = KEEP, **more: bool) -> list[tuple[str, str]]:
    given = [(name.lower().encode(), value.encode()) for name, value in headers]
    facts = {"token_used": False, "websocket": False, **more}
    found = to_application(given, rules, OURS, **facts)
    return [(name.decode().lower(), value.decode()) for name, value in found]


def shown(*headers: tuple[str, str], rules: Rules = KEEP) -> dict[str, list[str]]:
    given = [(name.lower().encode(), value.encode()) for name, value in headers]
    found: dict[str, list[str]] = {}
    for name, value in to_browser(given, rules, ("http://127.0.0.1:5000",)):
        found.setdefault(name.decode(), []).append(value.decode())
    return found


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User", "X-Forwarded_User", "X-Remote-User",
        "Remote-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
        "X-Auth-Request-User", "X-Auth-Request-Access-Token", "X-WebAuth-User", "X-Carrel-Identity",
        "X-Carrel-Anything", "X-Who",
        "X-Forwarded-Prefix", "X-Script-Name", "X-Forwarded-Access-Token", "X-User", "Remote-Groups",
        "X-Auth-User", "X-RStudio-Username", "X-MS-Client-Principal", "X-MS-Client-Principal-Name",
        "X-Goog-Authenticated-User-Email", "X-Goog-IAP-JWT-Assertion", "X-Amzn-Oidc-Identity",
        "Cf-Access-Authenticated-User-Email", "X-authentik-username", "X-Pomerium-Jwt-Assertion",
        "X-Vouch-User", "Tailscale-User-Login",
        "any_header",
    ],
)  # fmt: skip
def test_nobody_but_us_says_who_a_visitor_is(name: str) -> None:
    assert passed((name, "root"), ("Accept", "*/*")) == [("accept", "*/*"), ("x-forwarded-user", "ada")]


def test_hop_by_hop_headers_end_here_and_cannot_take_others_along() -> None:
    found = passed(
        ("Host", "hub.example"),
        ("Connection", "keep-alive, X-Private, X-Forwarded-User, Content-Length, Host"),
        ("X-Private", "1"),
        ("Content-Length", "3"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Keep-Alive", "3"),
        ("Expect", "100-continue"),
    )
    assert found == [("host", "hub.example"), ("content-length", "3"), ("x-forwarded-user", "ada")]


def test_there_is_one_opinion_on_where_a_request_ends() -> None:
    found = passed(("Content-Length", "3"), ("Transfer-Encoding", "chunked"))
    assert found == [("transfer-encoding", "chunked"), ("x-forwarded-user", "ada")]


def test_no_cookie_of_the_hubs_and_no_token_reaches_the_application() -> None:
    cookies = (
        "a=1; jupyterhub-user-ada=secret; jupyterhub-user-ada-oauth-state-12=secret; "
        "jupyterhub-session-id=secret; __Host-jupyterhub-hub-login=secret; JupyterHub-User-Ada=secret; "
        "__Host-jupyterhub-user-ada=secret; b=2"
    )
    assert ("cookie", "a=1; b=2") in passed(("Cookie", cookies))
    assert passed(("Cookie", "jupyterhub-user-ada=secret")) == [("x-forwarded-user", "ada")]
    used = passed(("Authorization", "Bearer secret"), token_used=True)
    assert used == [("x-forwarded-user", "ada")]
    assert ("authorization", "Basic eA==") in passed(("Authorization", "Basic eA=="))


def test_a_websocket_is_asked_for_as_one() -> None:
    found = passed(
        ("Connection", "x, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "k"), websocket=True
    )
    assert found[0] == ("sec-websocket-key", "k")
    assert found[-2:] == [("connection", "Upgrade"), ("upgrade", "websocket")]


@pytest.mark.parametrize(
    ("given_cookie", "kept"),
    [
        ("a=1", "a=1; Path=/user/ada/"),
        ("a=1; Path=/; HttpOnly", "a=1; HttpOnly; Path=/user/ada/"),
        ("a=1; path=/user/ada/sub; Secure", "a=1; Secure; Path=/user/ada/sub"),
        ("a=1; Path=/user/adamant/", "a=1; Path=/user/ada/"),
        ("a=1; Path=/user/ada/../bea/", "a=1; Path=/user/ada/"),
        ("a=1; Path=/user/ada/%2e%2e/bea/", "a=1; Path=/user/ada/"),
        ("a=1; Domain=hub.example; Path=/hub/", "a=1; Path=/user/ada/"),
        ("_xsrf=1; Path=/hub/", "_xsrf=1; Path=/user/ada/"),
        ("jupyterhub-hub-login=1; Path=/hub/", None),
        ("jupyterhub-user-ada=1", None),
        ("__Host-jupyterhub-hub-login=1; Path=/; Secure", None),
        ("jupyterhub-user-ada-oauth-state=1", None),
        ("jupyterhub-user-bea=1; Path=/user/bea/", None),
        (" jupyterhub-session-id=1", None),
        ("no name", None),
        ("a b=1", None),
    ],
)
def test_an_applications_cookies_stay_with_it(given_cookie: str, kept: str | None) -> None:
    assert shown(("Set-Cookie", given_cookie)).get("set-cookie") == ([kept] if kept else None)


def test_a_path_of_an_application_at_the_top_is_put_below_the_prefix() -> None:
    found = shown(("Set-Cookie", "a=1; Path=/sub"), rules=STRIP)
    assert found["set-cookie"] == ["a=1; Path=/user/ada/sub"]


@pytest.mark.parametrize(
    ("location", "kept", "stripped"),
    [
        ("/user/ada/x?y", "/user/ada/x?y", "/user/ada/x?y"),
        ("/x?y#z", "/x?y#z", "/user/ada/x?y#z"),
        ("/", "/", "/user/ada/"),
        ("x/y", "x/y", "x/y"),
        ("?a", "?a", "?a"),
        ("http://127.0.0.1:5000/x", "/x", "/user/ada/x"),
        ("http://127.0.0.1:5000", "/", "/user/ada/"),
        ("http://127.0.0.1:5000?a", "/?a", "/user/ada/?a"),
        ("http://127.0.0.1:5000//evil.example", "/user/ada/evil.example", "/user/ada/evil.example"),
        ("http://127.0.0.1:50001/x", "http://127.0.0.1:50001/x", "http://127.0.0.1:50001/x"),
        ("https://login.example/x", "https://login.example/x", "https://login.example/x"),
        ("//evil.example/x", "/user/ada/evil.example/x", "/user/ada/evil.example/x"),
        ("/\\evil.example/x", "/user/ada/evil.example/x", "/user/ada/evil.example/x"),
        ("\\\\evil.example", "/user/ada/evil.example", "/user/ada/evil.example"),
        ("/\t/evil.example", "/user/ada/evil.example", "/user/ada/evil.example"),
        ("\t//evil.example", "/user/ada/evil.example", "/user/ada/evil.example"),
        ("/\t\\evil.example", "/user/ada/evil.example", "/user/ada/evil.example"),
        ("//%2f/evil.example", "/user/ada/evil.example", "/user/ada/evil.example"),
    ],
)
def test_redirects_stay_where_the_application_means(location: str, kept: str, stripped: str) -> None:
    assert shown(("Location", location))["location"] == [kept]
    assert shown(("Location", location), rules=STRIP)["location"] == [stripped]


def test_what_would_reach_out_of_an_application_is_left_out() -> None:
    found = shown(
        ("Clear-Site-Data", '"*"'), ("Service-Worker-Allowed", "/"), ("Alt-Svc", "h3"),
        ("Connection", "close"), ("Strict-Transport-Security", "max-age=1"), ("X-JupyterHub-Version", "1"),
        ("Referrer-Policy", "no-referrer"), ("Content-Security-Policy", "frame-ancestors *"),
        ("Content-Type", "text/html"), ("Upgrade", "h2c"),
        ("NEL", '{"report_to": "x", "max_age": 9, "include_subdomains": true, "success_fraction": 1}'),
        ("Report-To", '{"group": "x", "max_age": 9, "endpoints": [{"url": "https://evil.example"}]}'),
        ("Accept-CH", "Device-Memory"), ("Set-Login", "logged-out"), ("Expect-CT", "max-age=1"),
        ("Secure-Session-Registration", '(ES256);path="/x"'),
    )  # fmt: skip
    assert found == {
        "content-security-policy": ["frame-ancestors *", "frame-ancestors 'self'"],
        "content-type": ["text/html"],
        "referrer-policy": ["same-origin"],
    }


@pytest.mark.parametrize(
    ("target", "kept", "stripped"),
    [
        ("/user/ada/", "/user/ada/", "/"),
        ("/user/ada/x/y%20z?q=1&q=2", "/user/ada/x/y%20z?q=1&q=2", "/x/y%20z?q=1&q=2"),
        ("/user/%61da/x", "/user/%61da/x", "/x"),
        ("/user/ada//evil.example/", "/user/ada//evil.example/", "/evil.example/"),
        ("/user/ada/%2F%5cevil.example/", "/user/ada/%2F%5cevil.example/", "/evil.example/"),
        ("/user/ada/a%2Fb", "/user/ada/a%2Fb", "/a%2Fb"),
        ("/user/ada/...", "/user/ada/...", "/..."),
        ("/user/ada/?", "/user/ada/?", "/?"),
    ],
)
def test_paths_reach_the_application_as_they_came(target: str, kept: str, stripped: str) -> None:
    assert target_for(target, KEEP, without_token=False) == kept
    assert target_for(target, STRIP, without_token=False) == stripped


@BOTH
@pytest.mark.parametrize(
    "target",
    [
        "/user/bea/", "/user/ad", "/user/adamant/", "/", "//user/ada/", "/user//ada/", "/user/ada/../bea/",
        "/user/ada/%2e%2e/bea/", "/user/ada/%2E./bea/", "/user/ada/./x", "/user/ada/..%2fbea/",
        "/user/ada/x%2f..%2fy", "/user/ada/..%5cx", "/user/ada/..;/x", "/user/ada/\\x", "/user%2Fada/x",
        "http://evil.example/user/ada/", "*", "/user/ada/#x", "",
    ],
)  # fmt: skip
def test_paths_that_two_programs_may_read_in_two_ways_reach_nobody(rules: Rules, target: str) -> None:
    with pytest.raises(BadPath):
        target_for(target, rules, without_token=False)


PATHS = st.text(st.sampled_from("/.%2eEfF5c\\ax;?"), max_size=30)


@BOTH
@given(rest=PATHS)
def test_no_path_leads_out_of_the_application_or_to_a_host(rules: Rules, rest: str) -> None:
    try:
        target = target_for(f"{PREFIX}{rest}", rules, without_token=False)
    except BadPath:
        return
    path = unquote(target.partition("?")[0])
    assert not {".", ".."} & set(path.replace("\\", "/").split("/"))
    if rules.strip_prefix:
        assert target.startswith("/")
        assert path[1:2] not in {"/", "\\"}
    else:
        assert target.startswith(PREFIX)


def test_a_visitors_token_is_taken_out_of_the_address() -> None:
    assert target_for("/user/ada/x?a=1&token=s&%74oken=s&b", KEEP, without_token=True) == "/user/ada/x?a=1&b"
    assert target_for("/user/ada/x?token=s", KEEP, without_token=True) == "/user/ada/x"
    assert target_for("/user/ada/x?token=s", KEEP, without_token=False) == "/user/ada/x?token=s"


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"referer": "https://hub.example/user/ada/page", "sec-fetch-site": "same-origin"}, True),
        ({"referer": "https://hub.example/user/ada/", "origin": "https://hub.example"}, True),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"origin": "https://hub.example"}, False),
        ({"referer": "https://hub.example/user/bea/"}, False),
        ({"referer": "https://hub.example/user/adamant/"}, False),
        ({"referer": "https://hub.example/user/ada/%2e%2e/bea/"}, False),
        ({"referer": "https://evil.example/user/ada/"}, False),
        ({"referer": "https://hub.example@evil.example/user/ada/"}, False),
        ({"referer": "https://hub.example/user/ada/", "sec-fetch-site": "same-site"}, False),
        ({"referer": "https://hub.example/user/ada/", "sec-fetch-site": "cross-site"}, False),
        ({"referer": "https://hub.example/user/ada/", "origin": "https://evil.example"}, False),
        ({"referer": "https://hub.example/user/ada/", "origin": "null"}, False),
        ({"referer": "https://[hub/user/ada/"}, False),
        ({}, False),
    ],
)
def test_pages_of_the_application_are_known_by_where_they_are(headers: dict[str, str], ours: bool) -> None:
    request = Request("POST", "/user/ada/api", {"host": "hub.example", **headers})
    assert is_from_here(request, PREFIX) is ours


def test_an_identity_is_known_by_its_signature() -> None:
    visitor = Visitor("jürgen\r\nX: y", frozenset(), {}, {"groups": ["a,b", "c"]})
    headers = dict(identity_headers(visitor, "key"))
    assert headers["X-Forwarded-User"] == "j%C3%BCrgen%0D%0AX: y"
    assert headers["X-Forwarded-Groups"] == "a%2Cb,c"
    found = read_identity(headers, "key")
    assert found is not None
    assert (found.name, found.groups) == (visitor.name, ("a,b", "c"))
    assert read_identity(headers, "another key") is None
    assert read_identity({}, "key") is None
    assert read_identity({"x-carrel-identity": headers["X-Carrel-Identity"][:-1]}, "key") is None
    assert read_identity(headers, "key", seconds=-1) is None
