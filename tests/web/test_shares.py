"""The page that a share code leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.core.access import caller_of_token
from carrel.core.share_codes import make_code
from carrel.domain.roles import ADMIN
from carrel.domain.scopes import expand
from carrel.testing.factories import a_caller
from tests.http.hub import Hub, open_hub
from tests.web.test_server_pages import RUNNING

PAGE = "/hub/accept-share"
ACCESS = "access:servers!server=ada/"


async def invitation(hub: Hub, owner: str, *scopes: str) -> str:
    """Return the address of an invitation to a user's default server."""
    admin = a_caller(await hub.user("root", admin=True), expand(ADMIN.scopes))
    await hub.user(owner)
    made = await make_code(hub.ctx, admin, owner, "", scopes or None)
    return f"{PAGE}?code={made.secret}"


async def scopes_of(hub: Hub, name: str) -> frozenset[str]:
    caller = await caller_of_token(hub.ctx, await hub.token(name))
    assert caller is not None
    return caller.scopes.names


async def test_an_invitation_is_shown_accepted_and_leads_to_the_server(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await hub.server("ada", **RUNNING)
        url = await invitation(hub, "ada", "access:servers", "read:servers")
        stranger = await browser.get(url)
        assert stranger.headers["location"].startswith("/hub/login?next=/hub/accept-share%3Fcode")
        await browser.log_in("bea")
        page = await browser.get(url)
        assert page.status_code == 200
        for piece in ("<strong>ada</strong>", "<strong>bea</strong>", ACCESS, "read:servers!server=ada/"):
            assert piece in page.text
        assert "not running" not in page.text
        assert ACCESS not in await scopes_of(hub, "bea")
        data = {"_xsrf": await browser.xsrf(url), "code": url.partition("=")[2]}
        answer = await browser.post(url, data=data)
        assert (answer.status_code, answer.headers["location"]) == (302, "/user/ada/")
        assert await scopes_of(hub, "bea") >= {ACCESS, "read:servers!server=ada/"}


async def test_a_server_at_rest_is_said_to_be_at_rest(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        url = await invitation(hub, "ada")
        await browser.log_in("bea")
        assert "ask ada to start it" in (await browser.get(url)).text
        answer = await browser.post(url, data={"_xsrf": await browser.xsrf(url)})
        landed = await browser.get(f"/hub{answer.headers['location']}")
        assert landed.status_code == 424
        assert "The server of ada is not running" in landed.text
        assert "Ask ada to do that" in landed.text
        assert 'id="start"' not in landed.text


@pytest.mark.parametrize(
    ("aim", "location"),
    [("/user/ada/lab/tree/x", "/user/ada/lab/tree/x"), ("https://evil.example/", "/user/ada/")],
)
async def test_the_owner_says_which_page_to_open(tmp_path: Path, aim: str, location: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        url = f"{await invitation(hub, 'ada')}&next={aim}"
        await browser.log_in("bea")
        assert "evil" not in (await browser.get(url)).text.replace("&amp;", "&").replace(url, "")
        answer = await browser.post(url, data={"_xsrf": await browser.xsrf(url)})
        assert answer.headers["location"] == location


async def test_what_cannot_be_accepted_is_explained(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        own = await invitation(hub, "bea")
        assert (await browser.post(own)).headers["location"].startswith("/hub/login")
        await browser.log_in("bea")
        token = await browser.xsrf("/hub/home")
        for url, shown, sent, words in (
            (own, 403, 400, "your own server"),
            (f"{PAGE}?code=unknown", 404, 400, "has expired, or there never was one"),
            (PAGE, 400, 400, ""),
        ):
            page = await browser.get(url)
            answer = await browser.post(url, data={"_xsrf": token})
            assert (page.status_code, answer.status_code) == (shown, sent), url
            assert words in page.text
            assert words in answer.text


async def test_only_our_own_page_accepts(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        url = await invitation(hub, "ada")
        await browser.log_in("bea")
        stale = await browser.post(url, data={"_xsrf": "old"})
        assert stale.status_code == 403
        assert f'href="{url}"' in stale.text
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        data = {"_xsrf": await browser.xsrf(url)}
        assert (await browser.post(url, data=data, headers=foreign)).status_code == 403
        assert ACCESS not in await scopes_of(hub, "bea")
