"""Named servers on pages: their addresses lead to them and to nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carrel.domain.events import RouteMissing
from carrel.domain.servers import Actual, Server, Wanted
from tests.http.hub import Browser, Hub, open_hub
from tests.web.test_server_pages import FAILED, RUNNING, STARTING, STOPPING


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with named servers; ada's default server runs. Nobody works on servers: no need to wait."""
    async with open_hub(tmp_path, allow_named_servers=True, slow_stop_timeout=0.0) as hub:
        await hub.server("ada", **RUNNING)
        yield hub


@pytest.fixture
async def browser(hub: Hub) -> AsyncIterator[Browser]:
    """Ada's browser."""
    async with hub.browser() as browser:
        await browser.log_in()
        yield browser


async def _named(hub: Hub, name: str = "gpu", owner: str = "ada", **changes: Any) -> Server:
    """Return a named server of a user's, after writing `changes` to its row."""
    user = await hub.user(owner)
    async with hub.ctx.store.write() as tx:
        server = await tx.servers.get(user.id, name)
        if server is None:
            server = await tx.servers.create(user.id, name, now=hub.clock.now())
        saved = await tx.servers.save(replace(server, **changes))
    assert saved is not None
    return saved


async def _row(hub: Hub, name: str = "gpu") -> Server | None:
    user = await hub.user("ada")
    async with hub.ctx.store.read() as tx:
        return await tx.servers.get(user.id, name)


FORM = {"Spawner": {"options_form": "<input name=size>"}}


async def test_the_options_page_says_which_server_and_whose(tmp_path: Path) -> None:
    async with open_hub(tmp_path, plugins=FORM, allow_named_servers=True) as hub, hub.browser() as browser:
        await browser.log_in()
        new = (await browser.get("/hub/spawn/ada/gpu?display_name=The+%3CGPU%3E")).text
        assert "For your server <strong>The &lt;GPU&gt;</strong> (<code>ada/gpu</code>)." in new
        await _named(hub, display_name="Big One")
        there = (await browser.get("/hub/spawn/ada/gpu?display_name=Another")).text
        assert "For your server <strong>Big One</strong> (<code>ada/gpu</code>)." in there
        await hub.user("root", admin=True)
        async with hub.browser() as root:
            await root.log_in("root")
            theirs = (await root.get("/hub/spawn/ada/gpu")).text
            assert "For the server <strong>Big One</strong> of <strong>ada</strong> (" in theirs
            default = (await root.get("/hub/spawn/ada")).text
            assert "For the server of <strong>ada</strong>." in default
        assert "<p>For " not in (await browser.get("/hub/spawn/ada")).text


async def test_pages_call_it_as_its_owner_does(hub: Hub, browser: Browser) -> None:
    for said, row in {"is starting": STARTING, "is stopping": STOPPING, "has failed": FAILED}.items():
        await _named(hub, display_name="Big One", **row)
        page = (await browser.get("/hub/spawn-pending/ada/gpu")).text
        assert f"Your server Big One {said}</h1>" in page


async def test_a_visit_starts_it(hub: Hub, browser: Browser) -> None:
    reply = await browser.get("/hub/spawn/ada/gpu?next=/user/ada/gpu/tree&display_name=The+GPU&opt-size=1")
    assert reply.headers["location"] == "/hub/spawn-pending/ada/gpu?next=/user/ada/gpu/tree"
    server = await _row(hub)
    assert server is not None
    assert (server.wanted, server.display_name) == (Wanted.RUNNING, "The GPU")
    assert server.user_options == {"size": ["1"]}
    page = (await browser.get("/hub/spawn-pending/ada/gpu?next=/user/ada/gpu/tree")).text
    assert 'data-progress-url="/hub/api/users/ada/servers/gpu/progress"' in page
    assert 'data-ready-url="/user/ada/gpu/tree"' in page
    assert 'action="/hub/stop/ada/gpu"' in page


@pytest.mark.parametrize(("name", "status"), [("No%20Name", 400), ("a--b", 400)])
async def test_names_that_cannot_be(hub: Hub, browser: Browser, name: str, status: int) -> None:
    assert (await browser.get(f"/hub/spawn/ada/{name}")).status_code == status
    assert (await browser.get(f"/hub/spawn-pending/ada/{name}")).status_code == 404


async def test_the_form_is_for_that_server(tmp_path: Path) -> None:
    def form(spawner: Any) -> str:
        return f'<input name="size" aria-label="{spawner.name}">'

    async with (
        open_hub(tmp_path, allow_named_servers=True, plugins={"Spawner": {"options_form": form}}) as hub,
        hub.browser() as browser,
    ):
        await browser.log_in()
        page = (await browser.get("/hub/spawn/ada/gpu")).text
        assert 'aria-label="gpu"' in page
        assert 'action="/hub/spawn/ada/gpu"' in page
        token = page.partition('name="_xsrf" value="')[2].partition('"')[0]
        reply = await browser.post("/hub/spawn/ada/gpu", data={"_xsrf": token, "size": "big"})
        assert reply.headers["location"] == "/hub/spawn-pending/ada/gpu"
        server = await _row(hub)
        assert server is not None
        assert server.user_options == {"size": ["big"]}


async def test_its_button_stops_it_alone(hub: Hub, browser: Browser) -> None:
    await _named(hub, **STARTING)
    token = await browser.xsrf("/hub/spawn-pending/ada/gpu")
    reply = await browser.post("/hub/stop/ada/gpu", data={"_xsrf": token})
    assert reply.headers["location"] == "/hub/spawn-pending/ada/gpu"
    server = await _row(hub)
    assert server is not None
    assert server.wanted is Wanted.STOPPED
    assert (await hub.server("ada")).wanted is Wanted.RUNNING


@pytest.mark.parametrize("tail", ["", "/", "/lab/tree?x=1"])
async def test_what_does_not_run_offers_its_own_start(hub: Hub, browser: Browser, tail: str) -> None:
    await _named(hub)
    reply = await browser.get(f"/hub/user/ada/gpu{tail}")
    assert reply.status_code == 424
    assert 'action="/hub/spawn/ada/gpu' in reply.text


async def test_each_state_of_it(hub: Hub, browser: Browser) -> None:
    await _named(hub, **STARTING)
    reply = await browser.get("/hub/user/ada/gpu/lab")
    assert reply.headers["location"] == "/hub/spawn-pending/ada/gpu?next=/user/ada/gpu/lab"
    await _named(hub, **STOPPING)
    assert "stopping" in (await browser.get("/hub/spawn-pending/ada/gpu")).text
    await _named(hub, **FAILED)
    page = await browser.get("/hub/spawn-pending/ada/gpu")
    assert page.status_code == 424
    assert 'action="/hub/spawn/ada/gpu' in page.text
    await _named(hub, **RUNNING)
    assert (await browser.get("/hub/spawn-pending/ada/gpu")).headers["location"] == "/user/ada/gpu/"
    reply = await browser.get("/hub/user/ada/gpu/lab")
    assert reply.headers["location"] == "/user/ada/gpu/lab?redirects=1"
    assert hub.missing == [RouteMissing("ada", "gpu")]


async def test_a_page_of_the_default_server_is_no_named_server(hub: Hub, browser: Browser) -> None:
    await hub.server("ada", wanted=Wanted.STOPPED, actual=Actual.STOPPED, url="")
    reply = await browser.get("/hub/user/ada/lab/tree")
    assert reply.status_code == 424
    assert 'action="/hub/spawn/ada?' in reply.text


async def test_others_learn_nothing_of_it(hub: Hub) -> None:
    await _named(hub)
    async with hub.browser() as bea:
        await bea.log_in("bea")
        seen = [
            (
                (reply := await bea.get(path)).status_code,
                reply.text.partition("<main")[2].partition("Request <code>")[0],
            )
            for path in ("/hub/user/ada/gpu/", "/hub/user/ada/none/", "/hub/user/nobody/gpu/")
        ]
        assert len(set(seen)) == 1
        assert seen[0][0] == 404
        for path in ("/hub/spawn/ada/gpu", "/hub/spawn-pending/ada/gpu"):
            assert (await bea.get(path)).status_code == 404


async def test_a_link_for_everybody_leads_to_the_named_one(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"allow_named_servers": True, "default_server_name": "main"}
    async with open_hub(tmp_path, **settings) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.get("/hub/user-redirect/lab?x=1")
        location = "/hub/spawn/ada/main?next=/user/ada/main/lab%3Fx%3D1"
        assert reply.headers["location"] == location
        await _named(hub, "main", **RUNNING)
        assert (await browser.get("/hub/user-redirect/lab")).headers["location"] == "/user/ada/main/lab"
