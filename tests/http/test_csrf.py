"""Whose page made a request: the browser's word and the token, each alone and both together."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from carrel.http.csrf import Origin, is_ours, is_visit
from tests.http.hub import HOST, open_hub

SITES = ["same-origin", "same-site", "cross-site", "none", "", "bogus"]
MODES = ["navigate", "cors", "no-cors", "same-origin", "websocket", "", "bogus"]
DESTS = [
    "document",
    "empty",
    "iframe",
    "frame",
    "embed",
    "object",
    "image",
    "script",
    "style",
    "worker",
    "",
    "x",
]

#: All that may change something, when the browser says where a request comes from. Everything else may not.
FORMS = {("navigate", "document"), ("navigate", "")}
SCRIPTS = {(mode, dest) for mode in ("cors", "same-origin", "") for dest in ("empty", "")}


@pytest.mark.parametrize("site", SITES)
def test_only_our_own_pages_may_change_something(site: str) -> None:
    for mode, dest in product(MODES, DESTS):
        silent = not (site or mode or dest)
        expected = silent or (site in {"same-origin", "none"} and (mode, dest) in FORMS | SCRIPTS)
        assert is_ours(Origin(site, mode, dest), HOST) is expected, (site, mode, dest)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("", True),
        (f"http://{HOST}", True),
        (f"https://{HOST}", True),
        (f"http://{HOST}:81", False),
        ("null", False),
        ("http://evil.example", False),
        (f"http://{HOST}.evil.example", False),
        (f"http://evil.example/{HOST}", False),
        (HOST, False),
    ],
)
def test_the_origin_header_counts_where_it_is_sent(origin: str, expected: bool) -> None:
    assert is_ours(Origin(origin=origin), HOST) is expected
    assert is_ours(Origin("same-origin", "navigate", "document", origin), HOST) is expected


def test_only_a_person_at_a_page_of_ours_visits() -> None:
    for site, mode, dest in product(SITES, MODES, DESTS):
        expected = site in {"same-origin", "none"} and mode == "navigate" and dest in {"", "document"}
        assert is_visit(Origin(site, mode, dest)) is expected, (site, mode, dest)


@pytest.mark.parametrize("site", SITES)
async def test_the_api_counts_a_cookie_only_with_its_token_and_from_us(tmp_path: Path, site: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        modes, dests = ("navigate", "cors", "no-cors", ""), ("document", "empty", "iframe", "")
        for method, mode, dest in product(("GET", "POST"), modes, dests):
            origin = Origin(site, mode, dest)
            for sent in ("", token):
                ours = is_ours(origin, HOST) if method == "POST" else True
                expected = (bool(sent) and ours) or (method == "GET" and is_visit(origin))
                reply = await browser.request(method, "/hub/api/users/nobody", headers=_headers(origin, sent))
                anonymous = "Missing or invalid" in reply.text
                assert anonymous is not expected, (method, origin, sent)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_no_method_that_changes_something_is_left_out(tmp_path: Path, method: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await hub.user("ada", admin=True)
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        url = "/hub/api/proxy" if method == "PUT" else "/hub/api/users/nobody"
        for origin, sent in (
            (Origin("same-origin", "cors", "empty"), ""),
            (Origin("cross-site", "cors", "empty"), token),
            (Origin("same-origin", "no-cors", "empty"), token),
        ):
            reply = await browser.request(method, url, headers=_headers(origin, sent))
            assert reply.status_code == (405 if method == "PUT" else 403)
        good = _headers(Origin("same-origin", "cors", "empty"), token)
        assert (await browser.request(method, url, headers=good)).status_code in {400, 404, 405}


def _headers(origin: Origin, token: str) -> dict[str, str]:
    headers = {
        "Sec-Fetch-Site": origin.site,
        "Sec-Fetch-Mode": origin.mode,
        "Sec-Fetch-Dest": origin.dest,
        "X-XSRFToken": token,
    }
    return {key: value for key, value in headers.items() if value}


async def test_a_head_needs_no_token_and_a_query_argument_will_do(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        assert (await browser.head("/hub/api/user")).status_code == 200
        assert (await browser.get("/hub/api/user")).status_code == 403
        assert (await browser.get("/hub/api/user", params={"_xsrf": token})).json()["name"] == "ada"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_a_form_of_another_site_cannot_speak_json(tmp_path: Path, content_type: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        headers = {"X-XSRFToken": token, "Content-Type": content_type}
        url = "/hub/api/users/ada/tokens"
        assert (await browser.post(url, content=b"{}", headers=headers)).status_code == 403
        headers["Content-Type"] = "application/json; charset=utf-8"
        assert (await browser.post(url, content=b"{}", headers=headers)).status_code == 201


@pytest.mark.parametrize("path", ["/hub/login", "/hub/logout", "/hub/spawn", "/hub/stop/ada"])
async def test_a_form_sent_by_another_site_does_nothing(tmp_path: Path, path: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        data = {"_xsrf": await browser.xsrf("/hub/home"), "username": "eve", "password": "x"}
        for headers in (
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            reply = await browser.post(path, data=data, headers=headers)
            assert reply.status_code == 403
            assert "another site" in reply.text
            assert "jupyterhub-hub-login" not in reply.headers.get("set-cookie", "")
        assert (await browser.get("/hub/home")).status_code == 200


async def test_a_token_of_another_session_does_not_fit(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as ada, hub.browser() as eve:
        await ada.log_in("ada")
        await eve.log_in("eve")
        planted = await eve.xsrf("/hub/home")
        # A page of a user's server can write cookies for this host, also with a more specific path.
        login = ada.cookies["jupyterhub-hub-login"]
        cookie = f"_xsrf={planted}; jupyterhub-hub-login={login}"
        async with hub.browser(Cookie=cookie) as victim:
            assert (await victim.post("/hub/stop/ada", data={"_xsrf": planted})).status_code == 403
            assert (await victim.get("/hub/api/user", params={"_xsrf": planted})).status_code == 403
            assert (await victim.get("/hub/home")).status_code == 200


@pytest.mark.parametrize("stale", ["", "x", "a.b", "é", "n" * 5000, "nonce." + "0" * 64])
async def test_a_stale_form_is_shown_again_with_a_token_that_works(tmp_path: Path, stale: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        browser.cookies.set("_xsrf", "left-over", domain=HOST, path="/hub/")
        fields = {"username": "ada", "password": "open sesame", "_xsrf": stale}
        reply = await browser.post("/hub/login", data=fields)
        assert reply.status_code == 403
        assert "out of date" in reply.text
        marker = 'name="_xsrf" value="'
        fields["_xsrf"] = reply.text.partition(marker)[2].partition('"')[0]
        assert (await browser.post("/hub/login", data=fields)).status_code == 302


async def test_planted_cookies_do_not_hide_the_good_ones(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        login = browser.cookies["jupyterhub-hub-login"]
        for name in list(browser.cookies):
            browser.cookies.delete(name)
        cookie = f"jupyterhub-hub-login=x.y; _xsrf=planted; jupyterhub-hub-login={login}; _xsrf={token}"
        reply = await browser.get("/hub/api/user", headers={"Cookie": cookie, "X-XSRFToken": token})
        assert reply.json()["name"] == "ada"


async def test_pages_outside_the_hub_leave_the_token_alone(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        assert "set-cookie" not in (await browser.get("/nowhere")).headers
        assert "_xsrf=" in (await browser.get("/hub/nowhere")).headers["set-cookie"]
