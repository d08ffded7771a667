"""With a host for every user, the hub's own pages are on the hub's alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.http.hub import Browser, Hub, open_hub
from tests.web.test_server_pages import RUNNING

HUB, ADA = "http://hub.example", "http://ada.hub.example"


@asynccontextmanager
async def hub_with_hosts(directory: Path) -> AsyncIterator[tuple[Hub, Browser]]:
    async with open_hub(directory, subdomain_host=HUB) as hub, hub.browser() as browser:
        yield hub, browser


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", f"{HUB}/"),
        ("/hub/login?next=%2Fhub%2Fhome", f"{HUB}/hub/login?next=%2Fhub%2Fhome"),
        ("/hub/home", f"{HUB}/hub/home"),
        ("/hub/a%2Fb//c?x=%0d%0a", f"{HUB}/hub/a%2Fb//c?x=%0d%0a"),
        ("//evil.example/x", f"{HUB}/evil.example/x"),
        ("/hub/api/oauth2/authorize?x=1", None),
        ("/user/ada/lab", f"{HUB}/hub/user/ada/lab?redirects=1"),
    ],
)
async def test_pages_of_the_hub_are_on_its_own_host(tmp_path: Path, path: str, location: str | None) -> None:
    async with hub_with_hosts(tmp_path) as (_, browser):
        reply = await browser.get(httpx.URL(ADA, raw_path=path.encode()))
        if location is None:
            assert reply.status_code == 403
        else:
            assert (reply.status_code, reply.headers["location"]) == (302, location)


async def test_nobody_logs_in_and_nothing_is_done_on_a_users_host(tmp_path: Path) -> None:
    async with hub_with_hosts(tmp_path) as (hub, browser):
        await browser.log_in()
        for name, value in list(browser.cookies.items()):
            browser.cookies.set(name, value, domain="ada.hub.example")
        token = browser.cookies.get("_xsrf", domain="ada.hub.example") or ""
        headers = {"X-XSRFToken": token}
        for method, path in (
            ("POST", "/hub/login"),
            ("POST", "/hub/api/users/ada/tokens"),
            ("DELETE", "/hub/x"),
        ):
            reply = await browser.request(method, f"{ADA}{path}", headers=headers)
            assert reply.status_code == 403
            assert "set-cookie" not in reply.headers
        assert (await browser.get(f"{ADA}/hub/api/user", headers=headers)).status_code == 403
        secret = await hub.token("ada")
        reply = await browser.get(f"{ADA}/hub/api/user", headers={"Authorization": f"token {secret}"})
        assert reply.json()["name"] == "ada"


@pytest.mark.parametrize("path", ["/hub/static/carrel.css", "/hub/logo", "/hub/health", "/services/x/api"])
async def test_what_error_pages_and_programs_need_is_everywhere(tmp_path: Path, path: str) -> None:
    async with hub_with_hosts(tmp_path) as (_, browser):
        own, other = await browser.get(f"{HUB}{path}"), await browser.get(f"{ADA}{path}")
        assert own.status_code == other.status_code
        assert own.headers["content-type"] == other.headers["content-type"]


async def test_the_session_id_is_for_all_hosts_and_the_log_in_for_the_hubs(tmp_path: Path) -> None:
    async with hub_with_hosts(tmp_path) as (_, browser):
        lines = (await browser.log_in()).headers.get_list("set-cookie")
        session = next(line for line in lines if line.startswith("jupyterhub-session-id="))
        login = next(line for line in lines if line.startswith("jupyterhub-hub-login="))
        assert "Domain=hub.example;" in session
        assert "Domain" not in login
        left = (await browser.get("/hub/logout")).headers.get_list("set-cookie")
        gone = next(line for line in left if line.startswith("jupyterhub-session-id="))
        assert "Domain=hub.example;" in gone
        assert "Max-Age=0" in gone


async def test_links_lead_to_the_servers_hosts_and_forms_may_too(tmp_path: Path) -> None:
    async with hub_with_hosts(tmp_path) as (hub, browser):
        await browser.log_in()
        await hub.server("ada", **RUNNING)
        page = await browser.get("/hub/home")
        assert f'href="{ADA}/user/ada/"' in page.text
        assert "form-action 'self' http://*.hub.example" in page.headers["content-security-policy"]
        for path, location in (
            ("/hub/spawn", f"{ADA}/user/ada/"),
            ("/hub/spawn?next=%2Fuser%2Fada%2Flab", f"{ADA}/user/ada/lab"),
            ("/hub/spawn?next=%2Fhub%2Fhome", "/hub/home"),
            (f"/hub/login?next={ADA}/user/ada/lab", "/user/ada/lab"),
            ("/hub/login?next=http://evilhub.example/user/ada/", "/hub/spawn"),
            ("/hub/user/ada/lab?x=1", f"{ADA}/user/ada/lab?x=1"),
            ("/hub/user/ada/lab?redirects=1", f"{ADA}/user/ada/lab?redirects=2"),
        ):
            assert (await browser.get(path)).headers["location"] == location
        assert len(hub.missing) == 1


async def test_the_api_says_where_everything_is(tmp_path: Path) -> None:
    async with hub_with_hosts(tmp_path) as (hub, browser):
        await hub.server("ada", **RUNNING)
        browser.headers["Authorization"] = f"token {await hub.token('ada')}"
        (server,) = (await browser.get("/hub/api/users/ada")).json()["servers"].values()
        assert server["url"] == "/user/ada/"
        assert server["full_url"] == f"{ADA}/user/ada/"
        assert server["full_progress_url"] == f"{HUB}/hub/api/users/ada/server/progress"


async def test_a_public_address_is_in_full_addresses(tmp_path: Path) -> None:
    async with open_hub(tmp_path, public_url="https://hub.example/") as hub, hub.browser() as browser:
        await hub.server("ada", **RUNNING)
        browser.headers["Authorization"] = f"token {await hub.token('ada')}"
        (server,) = (await browser.get("/hub/api/users/ada")).json()["servers"].values()
        assert server["full_url"] == "https://hub.example/user/ada/"
