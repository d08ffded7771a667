"""The page between a visitor and somebody else's server."""

from __future__ import annotations

from pathlib import Path

from carrel.core.oauth import client_of_server
from carrel.domain.hosts import Hosts
from tests.http.hub import Hub, open_hub
from tests.web.test_server_pages import RUNNING

AUTHORIZE = "/hub/api/oauth2/authorize?response_type=code"
ASK = AUTHORIZE + "&client_id=jupyterhub-user-{0}&redirect_uri=/user/{0}/oauth_callback"


async def run_server(hub: Hub, name: str) -> None:
    server = await hub.server(name, **RUNNING)
    async with hub.ctx.store.write() as tx:
        await tx.oauth.put_client(client_of_server(server, Hosts(), "0" * 64))


async def test_another_users_server_has_to_be_confirmed(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await hub.user("root", admin=True)
        await run_server(hub, "ada")
        await browser.log_in("root")
        page = await browser.get(f"{ASK.format('ada')}&state=x")
        assert page.status_code == 200
        assert "Authorize access" in page.text
        assert "<strong>Server at /user/ada/</strong>" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        action = page.text.partition('method="post" action="/hub/api')[2].partition('"')[0]
        token = page.text.rpartition('name="_xsrf" value="')[2].partition('"')[0]
        url = f"/hub/api{action.replace('&amp;', '&')}"
        stale = await browser.post(url, data={"_xsrf": "old"})
        assert stale.status_code == 403
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert (await browser.post(url, data={"_xsrf": token}, headers=foreign)).status_code == 403
        back = await browser.post(url, data={"_xsrf": token})
        assert back.status_code == 302
        assert back.headers["location"].startswith("/user/ada/oauth_callback?code=")


async def test_a_broken_link_gets_a_page(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in("ada")
        reply = await browser.get(f"{AUTHORIZE}&client_id=<script>alert(1)</script>")
        assert reply.status_code == 400
        assert "<h1" in reply.text
        assert "<script>alert" not in reply.text
        # There is no form to go back to.
        assert "begin anew" in reply.text
        assert "change what it says there" not in reply.text


async def test_the_own_server_needs_no_confirmation_from_wherever_the_visitor_comes(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await run_server(hub, "ada")
        await browser.log_in("ada")
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        reply = await browser.get(ASK.format("ada"), headers=headers)
        assert reply.headers["location"].startswith("/user/ada/oauth_callback?code=")
