"""How browsers are told to keep cookies, and whose pages may show ours in a frame."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from carrel.http.headers import merged_policy
from tests.http.hub import PASSWORD, open_hub

LOGIN, SESSION, XSRF = "jupyterhub-hub-login", "jupyterhub-session-id", "_xsrf"
FRAMED = {"headers": {"Content-Security-Policy": "frame-ancestors 'self' https://lms.example.edu"}}
IN_A_FRAME = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}


def given(reply: httpx.Response) -> dict[str, Any]:
    """Return the cookies that a reply sets, by name."""
    found = {}
    for line in reply.headers.get_list("set-cookie"):
        plain = line.replace("; Partitioned", "")
        for name, morsel in SimpleCookie(plain).items():
            found[name] = {**dict(morsel), "value": morsel.value, "partitioned": plain != line}
    return found


def sent(cookies: dict[str, Any]) -> dict[str, str]:
    """Return the header that brings cookies back, whether a browser would do so or not."""
    return {"Cookie": "; ".join(f"{name}={cookie['value']}" for name, cookie in cookies.items())}


async def log_in(browser: httpx.AsyncClient, base_url: str = "/") -> dict[str, Any]:
    """Return the cookies of the form and of the log-in."""
    form = given(await browser.get(f"{base_url}hub/login"))
    fields = {"username": "ada", "password": PASSWORD, "_xsrf": form[XSRF]["value"]}
    reply = await browser.post(f"{base_url}hub/login", data=fields, headers=sent(form))
    assert reply.status_code == 302
    return form | given(reply)


async def logged_in(directory: Path, **settings: Any) -> dict[str, Any]:
    """Return the cookies of a log-in at a hub with these settings."""
    async with open_hub(directory, **settings) as hub, hub.browser() as browser:
        return await log_in(browser)


async def test_options_are_for_every_cookie_of_a_log_in(tmp_path: Path) -> None:
    options = {"SameSite": "None", "Secure": True, "Partitioned": True, "domain": "example"}
    found = await logged_in(tmp_path, tornado_settings={"cookie_options": options})
    for name in (LOGIN, SESSION, XSRF):
        cookie = found[name]
        assert (cookie["samesite"], cookie["secure"], cookie["domain"]) == ("none", True, "example")
        assert cookie["partitioned"]


async def test_the_xsrf_token_may_have_options_of_its_own(tmp_path: Path) -> None:
    settings = {"cookie_options": {"samesite": "Strict"}, "xsrf_cookie_kwargs": {"samesite": "Lax"}}
    found = await logged_in(tmp_path, tornado_settings=settings)
    assert {name: found[name]["samesite"] for name in (LOGIN, XSRF)} == {LOGIN: "strict", XSRF: "lax"}


async def test_what_scripts_may_see_and_where_cookies_go_is_not_changed(tmp_path: Path) -> None:
    options = {"httponly": False, "path": "/", "max_age": 9}
    found = await logged_in(tmp_path, tornado_settings={"cookie_options": options})
    assert (found[LOGIN]["httponly"], found[LOGIN]["path"]) == (True, "/hub/")
    assert found[LOGIN]["max-age"] != "9"


async def test_a_public_address_with_https_is_enough_for_secure(tmp_path: Path) -> None:
    found = await logged_in(tmp_path, public_url="https://hub.example/")
    assert all(found[name]["secure"] for name in (LOGIN, SESSION, XSRF))
    plain = await logged_in(tmp_path, public_url="http://hub.example/")
    assert not any(plain[name]["secure"] for name in (LOGIN, SESSION, XSRF))


async def test_prefixed_cookies_are_as_browsers_demand_of_them(tmp_path: Path) -> None:
    settings = {"cookie_options": {"domain": "example", "secure": False}}
    async with (
        open_hub(
            tmp_path, base_url="/jh/", cookie_host_prefix_enabled=True, tornado_settings=settings
        ) as hub,
        hub.browser() as browser,
    ):
        found = await log_in(browser, "/jh/")
        cookie = found[f"__Host-{LOGIN}"]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        assert LOGIN not in found
        browser.cookies.clear()
        for name, status in ((f"__Host-{LOGIN}", 200), (LOGIN, 302)):
            reply = await browser.get("/jh/hub/home", headers=sent({name: cookie}))
            assert reply.status_code == status


@pytest.mark.parametrize("kind", ["log-in", "API"])
async def test_forms_in_frames_are_taken_where_frames_are_allowed(tmp_path: Path, kind: str) -> None:
    cases: list[tuple[dict[str, Any], bool]] = [({}, False), ({"tornado_settings": FRAMED}, True)]
    for settings, accepted in cases:
        async with open_hub(tmp_path, **settings) as hub, hub.browser(**IN_A_FRAME) as browser:
            if kind == "log-in":
                assert ((await browser.log_in()).status_code == 302) is accepted
        async with open_hub(tmp_path, **settings) as hub, hub.browser() as browser:
            await browser.log_in()
            headers = {**IN_A_FRAME, "X-XSRFToken": await browser.xsrf("/hub/token")}
            reply = await browser.post("/hub/api/users/ada/tokens", headers=headers, json={})
            assert (reply.status_code == 201) is accepted


async def test_other_sites_frames_still_cannot_send_forms(tmp_path: Path) -> None:
    elsewhere = IN_A_FRAME | {"Sec-Fetch-Site": "cross-site"}
    async with open_hub(tmp_path, tornado_settings=FRAMED) as hub, hub.browser(**elsewhere) as browser:
        assert (await browser.log_in()).status_code == 403


async def test_headers_are_on_every_reply_and_win(tmp_path: Path) -> None:
    headers = {
        "Strict-Transport-Security": "max-age=86400",
        "Referrer-Policy": "no-referrer",
        "Access-Control-Allow-Origin": "https://app.example",
        "Content-Security-Policy": "frame-ancestors https://lms.example.edu; report-uri https://r.example",
    }
    async with open_hub(tmp_path, tornado_settings={"headers": headers}) as hub, hub.browser() as browser:
        for path in ("/hub/login", "/hub/api/", "/hub/nothing", "/hub/static/carrel.css"):
            reply = await browser.get(path)
            assert reply.headers.get_list("strict-transport-security") == ["max-age=86400"]
            assert reply.headers.get_list("referrer-policy") == ["no-referrer"]
            assert reply.headers.get_list("access-control-allow-origin") == ["https://app.example"]
        for path in ("/hub/login", "/hub/api/"):
            policy = (await browser.get(path)).headers["content-security-policy"]
            assert "frame-ancestors https://lms.example.edu" in policy
            assert "report-uri https://r.example" in policy
            assert "frame-ancestors 'none'" not in policy
        assert "script-src 'self'" in (await browser.get("/hub/login")).headers["content-security-policy"]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ("", "default-src 'self'; script-src 'self'; frame-ancestors 'none'; form-action 'self'"),
        (
            "frame-ancestors *",
            "default-src 'self'; script-src 'self'; frame-ancestors *; form-action 'self'",
        ),
        (
            "Script-Src 'self' https://cdn.example",
            "default-src 'self'; script-src 'self' https://cdn.example; frame-ancestors 'none'; "
            "form-action 'self'",
        ),
        ("default-src https:", "frame-ancestors 'none'; form-action 'self'; default-src https:"),
        (
            " ; upgrade-insecure-requests;",
            "default-src 'self'; script-src 'self'; frame-ancestors 'none'; form-action 'self'; "
            "upgrade-insecure-requests",
        ),
    ],
)
def test_policies_are_joined_by_directives(theirs: str, expected: str) -> None:
    ours = "default-src 'self'; script-src 'self'; frame-ancestors 'none'; form-action 'self'"
    assert merged_policy(ours, theirs) == expected
