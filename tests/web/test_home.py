"""Named servers on the home page: adding, listing and removing them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from carrel.domain.servers import Wanted
from tests.http.hub import Browser, Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless
from tests.web.test_server_pages import FAILED, RUNNING


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub where everybody may have two named servers."""
    opened = partial(open_hub, allow_named_servers=True, named_server_limit_per_user=2)
    async with opened(tmp_path, slow_stop_timeout=0.01) as hub:
        yield hub


@pytest.fixture
async def browser(hub: Hub) -> AsyncIterator[Browser]:
    """Ada's browser."""
    async with hub.browser() as browser:
        await browser.log_in()
        yield browser


@pytest.mark.parametrize(
    ("called", "address"),
    [
        ("gpu", "/hub/spawn/ada/gpu"),
        ("My Thesis: Part 2", "/hub/spawn/ada/my-thesis-part-2?display_name=My%20Thesis%3A%20Part%202"),
        ("2026", "/hub/spawn/ada/server-2026?display_name=2026"),
        ("Été", "/hub/spawn/ada/ete?display_name=%C3%89t%C3%A9"),
    ],
)
async def test_a_server_is_added_by_what_it_is_called(browser: Browser, called: str, address: str) -> None:
    assert (await browser.send_form("/hub/home", server_name=called)).headers["location"] == address


@pytest.mark.parametrize("called", ["", "!!!", "李雷", "x" * 300, "a\u200bb", "gpu"])
async def test_what_cannot_be_a_name_is_said_beside_the_field(
    hub: Hub, browser: Browser, called: str
) -> None:
    await hub.server("ada", "gpu")
    reply = await browser.send_form("/hub/home", server_name=called)
    assert reply.status_code == 400
    assert reply.text.partition('id="new-server-problem">')[2].partition("</p>")[0]


async def test_the_list_has_what_can_be_done(hub: Hub, browser: Browser) -> None:
    await hub.server("ada", "gpu", display_name="Big <one>", **RUNNING)
    await hub.server("ada", "old", **FAILED)
    html = (await browser.get("/hub/home")).text
    assert "Big &lt;one&gt;" in html
    assert 'href="/user/ada/gpu/"' in html
    assert 'action="/hub/stop/ada/gpu"' in html
    assert 'href="/hub/remove/ada/gpu"' not in html
    assert 'action="/hub/spawn/ada/old"' in html
    assert 'href="/hub/remove/ada/old"' in html
    assert "It &lt;b&gt;ended&lt;/b&gt; at once." in html
    assert "You may have 2" in html
    assert 'name="server_name"' not in html


async def test_without_named_servers_there_are_none(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", "gpu", **RUNNING)
        assert re.search(r"\bgpu\b", (await browser.get("/hub/home")).text) is None
        reply = await browser.send_form("/hub/home", server_name="new")
        assert reply.status_code == 400


def failing(handler: Any) -> int:
    raise OSError("no answer")


async def test_a_limit_that_cannot_be_told_leaves_the_page_alone(tmp_path: Path) -> None:
    opened = partial(open_hub, allow_named_servers=True, named_server_limit_per_user=failing)
    async with opened(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        assert (await browser.get("/hub/home")).status_code == 200


async def test_a_server_is_removed_after_a_question(hub: Hub, browser: Browser) -> None:
    await hub.server("ada", "gpu")
    question = (await browser.get("/hub/remove/ada/gpu")).text
    assert "Delete the server gpu?" in question
    assert (await hub.server("ada", "gpu")).wanted is Wanted.STOPPED
    reply = await browser.send_form("/hub/remove/ada/gpu")
    assert reply.headers["location"] == "/hub/home"
    assert (await hub.server("ada", "gpu")).wanted is Wanted.DELETED


async def test_others_servers_are_not_removed(hub: Hub, browser: Browser) -> None:
    await hub.server("bea", "gpu")
    await hub.user("root", admin=True)
    assert (await browser.get("/hub/remove/bea/gpu")).status_code == 404
    token = {"_xsrf": await browser.xsrf("/hub/home")}
    assert (await browser.post("/hub/remove/bea/gpu", data=token)).status_code == 404
    assert (await browser.post("/hub/remove/ada/none", data=token)).status_code == 404
    async with hub.browser() as root:
        await root.log_in("root")
        for fields in ({}, {"_xsrf": "old"}):
            assert (await root.post("/hub/remove/bea/gpu", data=fields)).status_code == 403
        assert (await hub.server("bea", "gpu")).wanted is Wanted.STOPPED
        reply = await root.send_form("/hub/remove/bea/gpu")
        assert reply.headers["location"] == "/hub/admin/users/bea"
    assert (await hub.server("bea", "gpu")).wanted is Wanted.DELETED


async def test_the_menu_says_where_one_is(hub: Hub, browser: Browser) -> None:
    html = (await browser.get("/hub/home")).text
    assert re.findall(r'href="([^"]+)" aria-current="page"', html) == ["/hub/home"]
    assert 'href="/hub/token"' in html
    assert 'href="/hub/admin"' not in html
    assert 'id="logout"' in (await browser.get("/hub/nothing")).text


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_what_a_server_is_called_becomes_no_markup(hub: Hub, browser: Browser, polyglot: str) -> None:
    await hub.server("ada", "gpu", display_name=polyglot)
    for reply in (
        await browser.get("/hub/home"),
        await browser.get("/hub/remove/ada/gpu"),
        await browser.send_form("/hub/home", server_name=polyglot + "\u200b"),
    ):
        assert_harmless(reply.text, polyglot)


async def test_a_server_shows_its_devices_and_a_start_what_it_waits_for(tmp_path: Path) -> None:
    async with open_hub(tmp_path, allow_named_servers=True, device_pools={"gpu": ["<a>"]}) as hub:
        running = await hub.server("ada", **RUNNING)
        waiting = await hub.server("ada", "lab", wanted=Wanted.RUNNING, wanted_generation=1)
        async with hub.ctx.store.write() as tx:
            assert await tx.devices.lease(running.id, running.generation, {"gpu": ["<a>"]})
            await tx.devices.wait(waiting.id, 1, {"gpu": 1})
        async with hub.browser() as browser:
            await browser.log_in()
            html = (await browser.get("/hub/home")).text
            assert "GPU: &lt;a&gt;" in html
            assert "Waiting for GPU: next in line" in html
            assert "Waiting for GPU: next in line" in (await browser.get("/hub/spawn-pending/ada/lab")).text
