"""Services on pages: in the menu of who may open them, and in the administration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.config.rights import read_rights
from carrel.config.services import read_services
from carrel.core.service_records import load_services
from carrel.domain.hosts import Hosts
from tests.http.hub import Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless

SERVICES: list[dict[str, object]] = [
    {"name": "grades", "url": "http://127.0.0.1:9001"},
    {"name": "hidden", "url": "http://127.0.0.1:9002", "display": False},
    {"name": "culler", "command": ["cull"]},
]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with open_hub(tmp_path) as hub:
        await hub.user("root", admin=True)
        await load(hub, SERVICES)
        yield hub


async def load(hub: Hub, services: list[dict[str, object]]) -> None:
    """Put services of a configuration into the database."""
    settings = replace(hub.ctx.settings, services=services)
    parts = read_rights(settings)[0], read_services(settings)[0]
    await load_services(hub.ctx.store, hub.ctx.authenticator, hub.clock, Hosts(), parts)


async def test_the_menu_has_what_its_visitor_may_open(hub: Hub) -> None:
    await hub.may("ada", "access:services!service=grades")
    async with hub.browser() as ada, hub.browser() as bea, hub.browser() as stranger:
        await ada.log_in("ada")
        await bea.log_in("bea")
        link = 'href="/services/grades/"'
        for path in ("/hub/home", "/hub/token", "/hub/user/ada/lab"):
            html = (await ada.get(path)).text
            assert link in html.partition("</header>")[0], path
            assert ">hidden</a>" not in html
            assert "culler" not in html
        assert "Services" not in (await bea.get("/hub/home")).text
        assert "Services" not in (await stranger.get("/hub/login")).text


async def test_the_administration_lists_them_all(hub: Hub) -> None:
    await hub.may("sam", "admin-ui", "list:services!service=grades")
    async with hub.browser() as root, hub.browser() as sam, hub.browser() as bea:
        for browser, name in ((root, "root"), (sam, "sam"), (bea, "bea")):
            await browser.log_in(name)
        html = (await root.get("/hub/admin/services")).text
        assert "grades" in html
        assert "hidden" in html
        assert "Not running" in html.partition("culler")[2]
        part = (await sam.get("/hub/admin/services")).text
        assert "grades" in part
        assert "culler" not in part
        assert (await sam.get("/hub/admin")).headers["location"] == "/hub/admin/services"
        assert (await bea.get("/hub/admin/services")).status_code == 403


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_names_become_no_markup(hub: Hub, polyglot: str) -> None:
    name = polyglot.replace("/", "").replace("%", "").strip()
    await load(hub, [{"name": name, "url": "http://127.0.0.1:9001"}])
    async with hub.browser() as root:
        await root.log_in("root")
        for path in ("/hub/admin/services", "/hub/home"):
            assert_harmless((await root.get(path)).text, name)
