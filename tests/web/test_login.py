"""Signing in and out with a browser."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from carrel.authenticators.base import Authenticator
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.authenticators.null import NullAuthenticator
from carrel.domain.servers import Wanted
from tests.http.hub import HOST, PASSWORD, Browser, open_hub
from tests.lib.test_urls import REFUSED
from tests.web.test_server_pages import RUNNING, STARTING


class Listening(Authenticator):
    """Remembers what a form sent and refuses everybody."""

    allow_all = True
    seen: list[dict[str, Any]]

    async def authenticate(self, handler: Any, data: Any) -> Any:
        self.seen = [*getattr(self, "seen", []), dict(data)]


class Elsewhere(DummyAuthenticator):
    """Signs people in at a place of its own."""

    def login_url(self, base_url: str) -> str:
        return f"{base_url}elsewhere"


AUTHORIZE = "/hub/api/oauth2/authorize?client_id=service-x"


@pytest.mark.parametrize(
    ("settings", "aim", "automatic"),
    [
        ({"auto_login": True}, "/hub/token", True),
        ({"auto_login": True}, AUTHORIZE, True),
        ({"auto_login_oauth2_authorize": True}, AUTHORIZE, True),
        ({"auto_login_oauth2_authorize": True}, "/hub/token", False),
        ({"auto_login_oauth2_authorize": True}, "/hub/token?to=/hub/api/oauth2/authorize", False),
        ({}, AUTHORIZE, False),
    ],
)
async def test_logging_in_begins_by_itself_where_it_is_told_to(
    tmp_path: Path, settings: dict[str, bool], aim: str, automatic: bool
) -> None:
    authenticator = Elsewhere(login_service="Elsewhere", **settings)
    page = f"/hub/login?next={quote(aim)}"
    async with open_hub(tmp_path, authenticator=authenticator) as hub, hub.browser() as browser:
        reply = await browser.get(page)
        assert (reply.status_code == 302) is automatic
        there = httpx.URL(reply.headers.get("location", "/hub/elsewhere"))
        assert there.path == "/hub/elsewhere"
        assert there.params.get("next") == (aim if automatic else None)


async def test_a_wrong_password_is_told_and_the_name_is_kept(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reply = await browser.log_in("ada", "wrong", next="/hub/home")
        assert reply.status_code == 403
        assert "Invalid username or password" in reply.text
        assert 'value="ada"' in reply.text
        assert "wrong" not in reply.text
        assert 'name="next" value="/hub/home"' in reply.text
        assert "jupyterhub-hub-login" not in reply.headers.get("set-cookie", "")


async def test_the_name_is_stripped_and_the_password_is_not(tmp_path: Path) -> None:
    listening = Listening()
    async with open_hub(tmp_path, authenticator=listening) as hub, hub.browser() as browser:
        await browser.log_in("  ada ", " open sesame ", otp="1", extra="x")
        assert listening.seen == [{"username": "ada", "password": " open sesame ", "otp": "1", "extra": "x"}]


async def test_a_log_in_is_written_down_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hub(tmp_path) as hub, hub.browser(**{"X-Forwarded-For": "192.0.2.7"}) as browser:
        with caplog.at_level(logging.INFO):
            await browser.log_in("ada\n[forged]", "canary")
            await browser.log_in("ada")
    assert "refused" in caplog.text
    assert "ada logged in from 192.0.2.7" in caplog.text
    assert "canary" not in caplog.text
    assert PASSWORD not in caplog.text
    assert not any(line.startswith("[forged]") for line in caplog.text.splitlines())


@pytest.mark.parametrize("place", ["form", "address"])
async def test_a_wrong_next_never_leaves_the_host(tmp_path: Path, place: str) -> None:
    async with open_hub(tmp_path) as hub:
        for candidate in REFUSED:
            if candidate == f"http://{HOST}/hub/home":
                continue
            async with hub.browser() as browser:
                await assert_refused(browser, candidate, place)


async def assert_refused(browser: Browser, candidate: str, place: str) -> None:
    """Assert that a log-in with this `next` goes where it goes without."""
    fields = {"username": "ada", "password": PASSWORD, "_xsrf": await browser.xsrf()}
    if place == "form":
        reply = await browser.post("/hub/login", data={**fields, "next": candidate})
    else:
        reply = await browser.post("/hub/login", params={"next": candidate}, data=fields)
    assert (reply.status_code, reply.headers["location"]) == (302, "/hub/spawn"), candidate
    # Who is signed in already is sent on by the same rule.
    again = await browser.get("/hub/login", params={"next": candidate})
    assert again.headers["location"] == "/hub/spawn", candidate


@pytest.mark.parametrize("aim", ["/user/ada/lab/tree/a%20b.ipynb?x=1", f"http://{HOST}/user/ada/lab"])
async def test_a_good_next_is_followed(tmp_path: Path, aim: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reply = await browser.log_in(next=aim)
        assert reply.headers["location"] == aim.removeprefix(f"http://{HOST}")


async def test_a_new_log_in_renews_everything_and_ends_the_old_session(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        first = dict(browser.cookies)
        token = await browser.xsrf("/hub/home")
        await browser.post("/hub/login", data={"username": "ada", "password": PASSWORD, "_xsrf": token})
        second = dict(browser.cookies)
        assert first["jupyterhub-hub-login"] != second["jupyterhub-hub-login"]
        assert first["jupyterhub-session-id"] != second["jupyterhub-session-id"]
        assert await browser.xsrf("/hub/home") != token
        assert await name_of(hub.browser(), first) == ""
        assert await name_of(hub.browser(), second) == "ada"


async def name_of(opening: Any, cookies: dict[str, str]) -> str:
    """Return the user that cookies speak for, or an empty string."""
    async with opening as browser:
        line = "; ".join(f"{key}={value}" for key, value in cookies.items())
        reply = await browser.head("/hub/api/user", headers={"Cookie": line})
        if reply.status_code == 403:
            return ""
        page = await browser.get("/hub/home", headers={"Cookie": line})
        return str(page.text.partition('class="name">')[2].partition("<")[0])


async def test_nobody_can_be_admitted_and_the_page_says_what_to_set(tmp_path: Path) -> None:
    authenticator = DummyAuthenticator(password=PASSWORD, allow_all=False)
    async with open_hub(tmp_path, authenticator=authenticator) as hub, hub.browser() as browser:
        page = await browser.get("/hub/login")
        assert "c.Authenticator.allow_all = True" in page.text
        reply = await browser.log_in()
        assert reply.status_code == 403
        assert "c.Authenticator.allow_all = True" in reply.text


async def test_without_log_in_there_is_no_form(tmp_path: Path) -> None:
    async with open_hub(tmp_path, authenticator=NullAuthenticator()) as hub, hub.browser() as browser:
        page = await browser.get("/hub/login")
        assert page.status_code == 200
        assert "turned off" in page.text
        assert "password_input" not in page.text


async def test_a_service_gets_a_button_with_a_safe_next(tmp_path: Path) -> None:
    authenticator = DummyAuthenticator(login_service="Example & Co")
    async with open_hub(tmp_path, authenticator=authenticator) as hub, hub.browser() as browser:
        page = await browser.get("/hub/login", params={"next": "/hub/home?a=b&c"})
        assert "Sign in with Example &amp; Co" in page.text
        assert 'href="/hub/login?next=/hub/home%3Fa%3Db%26c"' in page.text


async def test_a_custom_form_gets_everything_through(tmp_path: Path) -> None:
    authenticator = DummyAuthenticator(custom_html="<form id='mine'></form>")
    async with open_hub(tmp_path, authenticator=authenticator) as hub, hub.browser() as browser:
        assert "<form id='mine'></form>" in (await browser.get("/hub/login")).text


async def log_out(browser: Browser, method: str) -> httpx.Response:
    if method == "GET":
        return await browser.get("/hub/logout")
    return await browser.post("/hub/logout", data={"_xsrf": await browser.xsrf("/hub/home")})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_logging_out_ends_the_session_on_the_server(tmp_path: Path, method: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        stolen = dict(browser.cookies)
        assert await name_of(hub.browser(), stolen) == "ada"
        reply = await log_out(browser, method)
        assert reply.status_code == 200
        assert "You are signed out" in reply.text
        assert "Sign out</button>" not in reply.text
        cleared = reply.headers.get_list("set-cookie")
        for name, path in (("jupyterhub-hub-login", "/hub/"), ("jupyterhub-session-id", "/")):
            assert any(
                c.startswith(f"{name}=") and "Max-Age=0" in c and f"Path={path};" in c for c in cleared
            )
        assert (await browser.get("/hub/home")).headers["location"] == "/hub/login?next=/hub/home"
        assert await name_of(hub.browser(), stolen) == ""


@pytest.mark.parametrize("wanted", [False, True])
async def test_servers_end_with_the_log_out_where_that_is_wanted(tmp_path: Path, wanted: bool) -> None:
    async with open_hub(tmp_path, shutdown_on_logout=wanted) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", **RUNNING)
        await hub.server("ada", "starts", **STARTING)
        await hub.server("bea", **RUNNING)
        await log_out(browser, "POST")
        for name, server_name, stops in (("ada", "", wanted), ("ada", "starts", False), ("bea", "", False)):
            row = await hub.server(name, server_name)
            assert (row.wanted is Wanted.STOPPED) is stops


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_link_of_another_site_signs_nobody_out(tmp_path: Path, site: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.get("/hub/logout", headers={"Sec-Fetch-Site": site})
        assert "Sign out?" in reply.text
        assert (await browser.get("/hub/home")).status_code == 200
        token = reply.text.partition('name="_xsrf" value="')[2].partition('"')[0]
        assert "You are signed out" in (await browser.post("/hub/logout", data={"_xsrf": token})).text


async def test_a_stale_logout_form_asks_again(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.post("/hub/logout", data={"_xsrf": "old"})
        assert "Sign out?" in reply.text
        assert (await browser.get("/hub/home")).status_code == 200


async def test_no_answer_after_a_log_out_brings_the_session_back(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        cookies = dict(browser.cookies)
        line = "; ".join(f"{key}={value}" for key, value in cookies.items())
        async with hub.browser(Cookie=line) as tabs:
            paths = ["/hub/home", "/hub/spawn", "/hub/login", "/hub/", "/hub/api/user", "/hub/user/ada/"] * 5
            polls = [asyncio.create_task(tabs.get(path)) for path in paths[:15]]
            leaving = asyncio.create_task(browser.get("/hub/logout"))
            polls += [asyncio.create_task(tabs.get(path)) for path in paths[15:]]
            replies = await asyncio.gather(*polls)
            await leaving
            for reply in replies:
                for line in reply.headers.get_list("set-cookie"):
                    assert not line.startswith("jupyterhub-")
        assert await name_of(hub.browser(), cookies) == ""


async def test_a_deleted_user_is_nobody(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await hub.token("root")
        await hub.user("root")
        async with hub.ctx.store.write() as tx:
            root = await tx.users.get("root")
            assert root is not None
            await tx.users.set_admin(root.id, True)
        headers = {"Authorization": f"token {token}"}
        assert (await browser.delete("/hub/api/users/ada", headers=headers)).status_code == 204
        assert (await browser.get("/hub/home")).status_code == 302
