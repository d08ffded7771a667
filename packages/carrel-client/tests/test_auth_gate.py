"""Who gets in to a service, and what the others are answered."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from auth_hub import ACCESS, PREFIX, SETTINGS, Browser, MemoryHub, service

from carrel_client.auth import Admitted, Answer, HubAuth


async def status(browser: Browser, path: str = "", method: str = "GET", **more: Any) -> int:
    """Return 200 for who is admitted, else the answer's status."""
    decision = await browser.auth.admit(browser.request(path, method, **more))
    return decision.status if isinstance(decision, Answer) else 200


async def test_a_log_in_from_visit_to_visit() -> None:
    hub = MemoryHub()
    browser = Browser(service(hub))
    answer = await browser.auth.admit(browser.request("a?b=c", sec_fetch_mode="navigate"))
    assert isinstance(answer, Answer)
    query = parse_qs(urlsplit(answer.location).query)
    assert answer.location.startswith("/hub/api/oauth2/authorize?")
    (cookie,) = answer.cookies
    assert (cookie.name, cookie.path) == ("service-board-oauth-state", PREFIX)
    assert (cookie.max_age, cookie.httponly) == (600, True)
    browser.keep(answer.cookies)
    done = await browser.finish(query["state"][0], "a")
    assert (done.status, done.location) == (302, f"{PREFIX}a?b=c")
    ((_, verifier),) = hub.exchanged
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert query["code_challenge"] == [challenge]
    admitted = await browser.auth.admit(browser.request(sec_fetch_mode="navigate"))
    assert isinstance(admitted, Admitted)
    assert admitted.visitor.name == "alice"
    assert [(cookie.name, cookie.httponly) for cookie in admitted.cookies] == [("_xsrf", False)]
    assert hub.asked == ["a"], "the answer is used again"


async def test_tabs_do_not_disturb_each_other_and_a_state_works_once() -> None:
    browser = Browser(service(MemoryHub()))
    first, second = await browser.begin("one"), await browser.begin("two")
    assert (await browser.finish(second, "a")).location == f"{PREFIX}two"
    assert (await browser.finish(first, "a")).location == f"{PREFIX}one"
    assert (await browser.finish(first, "a")).status == 403


async def test_a_state_of_another_browser_is_refused() -> None:
    hub = MemoryHub()
    auth = service(hub)
    state = await Browser(auth).begin()
    victim = Browser(auth)
    await victim.begin()
    assert (await victim.finish(state, "a")).status == 403
    assert hub.exchanged == []


async def test_cookies_of_another_secret_or_purpose_are_nothing() -> None:
    hub = MemoryHub()
    browser = Browser(HubAuth(SETTINGS, cookie_secret=b"another", hub=hub))
    await browser.log_in()
    forged = Browser(service(hub))
    forged.jar = dict(browser.jar)
    assert await status(forged, sec_fetch_mode="navigate") == 302
    await forged.begin()
    forged.jar["service-board"] = forged.jar["service-board-oauth-state"]
    assert await status(forged, sec_fetch_mode="navigate") == 302


async def test_without_an_access_scope_there_is_no_log_in() -> None:
    browser = Browser(service(MemoryHub()))
    answer = await browser.finish(await browser.begin(), "b")
    assert (answer.status, "You are logged in as bob" in answer.body) == (403, True)
    assert "service-board" not in browser.jar


async def test_an_access_scope_withdrawn_ends_the_visit() -> None:
    hub = MemoryHub()
    now = 0.0
    browser = Browser(HubAuth(SETTINGS, cookie_secret=b"s", hub=hub, now=lambda: now))
    await browser.log_in()
    hub.known["a"] = hub.known["b"]
    assert await status(browser) == 200, "for five minutes the hub is not asked again"
    now = 301.0
    assert await status(browser) == 403


@pytest.mark.parametrize("scheme", ["token", "Token", "bearer", "Bearer"])
async def test_tokens_in_the_header(scheme: str) -> None:
    hub = MemoryHub()
    program = Browser(service(hub))
    assert await status(program, method="DELETE", authorization=f"{scheme} a") == 200
    assert await status(program, authorization=f"{scheme} b") == 403
    assert await status(program, authorization=f"{scheme} x") == 403
    assert await status(program, authorization=scheme) == 403
    assert await status(program, authorization=f"{scheme} a b") == 403


async def test_a_password_for_a_proxy_does_not_stand_in_the_way_of_the_cookie() -> None:
    browser = Browser(service(MemoryHub()))
    assert await status(browser, authorization="Basic YTph", sec_fetch_mode="navigate") == 302
    await browser.log_in()
    assert await status(browser, authorization="Basic YTph") == 200
    assert await status(browser, method="POST", authorization="Basic YTph") == 403


async def test_no_token_in_the_url_of_a_page() -> None:
    program = Browser(service(MemoryHub()))
    assert await status(program, "?token=a", accept="application/json") == 403


async def test_a_view_may_ask_for_other_scopes() -> None:
    auth = service(MemoryHub())
    request = Browser(auth).request(authorization="token a")
    assert isinstance(await auth.admit(request, ["admin:board"]), Answer)
    assert isinstance(await auth.admit(request, ["admin:board", ACCESS]), Admitted)
    assert isinstance(await auth.admit(request, []), Answer), "who asks for nothing admits nobody"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"sec_fetch_mode": "cors"}),
        ("GET", {"sec_fetch_mode": "no-cors"}),
        ("GET", {"accept": "application/json"}),
        ("GET", {"x_requested_with": "XMLHttpRequest"}),
        ("POST", {"sec_fetch_mode": "navigate"}),
        ("DELETE", {}),
    ],
)
async def test_only_pages_lead_to_the_log_in(method: str, headers: dict[str, str]) -> None:
    assert await status(Browser(service(MemoryHub())), method=method, **headers) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
async def test_a_change_needs_the_xsrf_token(method: str) -> None:
    auth = service(MemoryHub())
    alice, mallory = Browser(auth), Browser(auth)
    await alice.log_in()
    await mallory.log_in("a2")
    admitted, others = [await auth.admit(browser.request()) for browser in (alice, mallory)]
    assert isinstance(admitted, Admitted)
    assert isinstance(others, Admitted)
    token = admitted.xsrf_token
    assert await status(alice, method=method) == 403
    for wrong in ("x", "é", others.xsrf_token):
        assert await status(alice, method=method, x_xsrftoken=wrong) == 403
    assert await status(alice, method=method, x_xsrftoken=token) == 200
    assert await status(alice, f"?_xsrf={token}", method) == 200
    assert await status(alice, method=method, form=token) == 200


async def test_what_scripts_read_needs_the_xsrf_token_and_what_pages_show_does_not() -> None:
    browser = Browser(service(MemoryHub()))
    await browser.log_in()
    for mode, expected in (("cors", 403), ("same-origin", 403), ("no-cors", 200), ("navigate", 200)):
        assert await status(browser, sec_fetch_mode=mode) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "hub.example"}, 200),
        ({"host": "hub.example", "origin": "https://hub.example"}, 200),
        ({"host": "hub.example", "origin": "https://elsewhere.example"}, 403),
        ({"host": "hub.example", "origin": "https://hub.example:8443"}, 403),
        ({"host": "hub.example", "origin": "null"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_websockets_with_a_cookie_come_from_our_own_pages(
    headers: dict[str, str], expected: int
) -> None:
    browser = Browser(service(MemoryHub()))
    await browser.log_in()
    assert await status(browser, websocket=True, **headers) == expected


async def test_websockets_without_cookies() -> None:
    without = service(MemoryHub(), replace(SETTINGS, websocket_cookie_auth=False))
    browser = Browser(without)
    await browser.log_in()
    assert await status(browser, websocket=True) == 403
    assert await status(browser, "?token=a", websocket=True) == 200
    assert await status(browser, websocket=True, authorization="token a") == 200


async def test_log_out_forgets_cookie_and_answer() -> None:
    hub = MemoryHub()
    browser = Browser(service(hub))
    await browser.log_in()
    answer = await browser.auth.page(browser.request("logout"))
    assert answer is not None
    assert answer.location == "/hub/logout"
    browser.keep(answer.cookies)
    assert "service-board" not in browser.jar
    assert await status(browser) == 302


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/services/board/x?y=1", "/services/board/x?y=1"),
        ("", PREFIX),
        ("/hub/home", PREFIX),
        ("//elsewhere.example", PREFIX),
        ("https://elsewhere.example", PREFIX),
        ("/services/board/../other/", PREFIX),
        ("/services/board/login", PREFIX),
    ],
)
async def test_log_in_leads_nowhere_else(wanted: str, location: str) -> None:
    browser = Browser(service(MemoryHub()))
    await browser.log_in()
    answer = await browser.auth.page(browser.request(f"login?next={wanted}"))
    assert answer is not None
    assert answer.location == location


async def test_a_hub_that_is_away() -> None:
    hub = MemoryHub()
    browser = Browser(service(hub))
    state = await browser.begin()
    hub.away = True
    assert (await browser.finish(state, "a")).status == 502
    assert await status(browser, authorization="token a") == 502
    hub.away = False
    assert await status(browser, authorization="token a") == 200
    hub.away = True
    assert await status(browser, authorization="token a") == 200


async def test_a_refused_code_is_told_without_the_code() -> None:
    browser = Browser(service(MemoryHub()))
    answer = await browser.finish(await browser.begin(), "made-up")
    assert (answer.status, "invalid_grant" in answer.body, "made-up" in answer.body) == (500, True, False)


@pytest.mark.parametrize("path", ["", "x", "oauth_callback/x", "logout/", "../board/logout"])
async def test_other_pages_are_the_services_own(path: str) -> None:
    browser = Browser(service(MemoryHub()))
    assert await browser.auth.page(browser.request(path)) is None
    assert await browser.auth.page(browser.request("logout", "POST")) is None


async def test_processes_of_one_service_know_each_others_log_ins() -> None:
    hub = MemoryHub()
    first = Browser(HubAuth(SETTINGS, hub=hub))
    await first.log_in()
    second = Browser(HubAuth(SETTINGS, hub=hub))
    second.jar = first.jar
    assert await status(second) == 200
    third = Browser(HubAuth(replace(SETTINGS, api_token="another"), hub=hub))
    third.jar = first.jar
    assert await status(third) == 302
