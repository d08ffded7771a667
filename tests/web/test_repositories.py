"""The link that opens a repository: it asks first, and nothing that it says is believed."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from carrel.config.profiles import ProfileSource
from carrel.core.servers import announce_change, find_server
from carrel.domain.profile_options import Option, RepositoryRule, TextRule
from carrel.domain.profiles import Profile
from carrel.domain.repositories import RepositoryRules
from carrel.domain.servers import Actual
from tests.http.hub import Browser, Hub, NowhereSpawner, open_hub
from tests.web.test_server_pages import RUNNING, STOPPING

REPO = "https://git.example/class/x"
ASKED = {"repo": REPO, "ref": "v1", "path": "notebooks/a b.ipynb"}
OPTIONS: dict[str, Any] = {"user_options": {"repository": ASKED}}


@pytest.fixture(autouse=True)
def can_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NowhereSpawner, "opens_repositories", True)


@asynccontextmanager
async def ada_at(directory: Path, **settings: Any) -> AsyncIterator[tuple[Hub, Browser]]:
    plugins = {"Repositories": {"allowed": ["git.example/class"]}}
    async with open_hub(directory, plugins=plugins, **settings) as hub, hub.browser() as browser:
        await browser.log_in("ada")
        yield hub, browser


def link(**asked: str) -> str:
    return f"/hub/launch?{urlencode(asked)}"


async def test_who_is_not_logged_in_logs_in_first_and_comes_back(tmp_path: Path) -> None:
    async with ada_at(tmp_path) as (hub, _), hub.browser() as stranger:
        reply = await stranger.get(link(**ASKED))
        assert reply.headers["location"].startswith("/hub/login?next=/hub/launch%3Frepo%3D")
        assert (await stranger.post("/hub/launch", data=ASKED)).headers["location"].startswith("/hub/login")


async def test_a_link_asks_and_starts_nothing_and_agreeing_starts(tmp_path: Path) -> None:
    async with ada_at(tmp_path) as (hub, browser):
        page = await browser.get(link(**ASKED), headers={"sec-fetch-site": "cross-site"})
        assert page.status_code == 200
        for piece in (*ASKED.values(), "runs as you, <strong>ada</strong>"):
            assert piece in page.text
        assert await find_server(hub.ctx, "ada") is None
        reply = await browser.send_form(link(**ASKED), **ASKED)
        aim = "/user/ada/lab/tree/notebooks/a%2520b.ipynb"
        assert reply.headers["location"] == f"/hub/spawn-pending/ada?next={aim}"
        server = await find_server(hub.ctx, "ada")
        assert server is not None
        assert server.waiting
        assert server.user_options == {"repository": ASKED}
        again = await browser.get(link(**ASKED))
        assert again.headers["location"] == reply.headers["location"], "it is on its way"


async def test_what_is_open_is_led_to_and_what_is_busy_is_left_alone(tmp_path: Path) -> None:
    async with ada_at(tmp_path) as (hub, browser):
        await hub.server("ada", **RUNNING, **OPTIONS)
        reply = await browser.get(link(repo=REPO, ref="v1"))
        assert reply.headers["location"] == "/user/ada/lab/tree/"
        for asked in (link(repo=REPO), link(repo=f"{REPO}2", ref="v1")):
            page = await browser.get(asked)
            assert "Stop my server and open it" in page.text
        token = await browser.xsrf("/hub/token")
        refused = await browser.post("/hub/launch", data={"repo": REPO, "_xsrf": token})
        assert refused.status_code == 409
        assert (await hub.server("ada")).ready
        await hub.server("ada", **STOPPING, **OPTIONS)
        assert "is running something else" in (await browser.get(link(repo=REPO, ref="v1"))).text


async def test_what_runs_is_stopped_first_when_its_owner_says_so(tmp_path: Path) -> None:
    async with ada_at(tmp_path) as (hub, browser):
        await hub.server("ada", **RUNNING)
        sending = asyncio.create_task(browser.send_form(link(repo=REPO), repo=REPO, stop="first"))
        while (server := await find_server(hub.ctx, "ada")) is None or server.pending != "stop":
            assert not sending.done()
            await asyncio.sleep(0.01)
        async with hub.ctx.store.write() as tx:
            row = await tx.servers.save(replace(server, actual=Actual.STOPPED))
            assert row is not None
            announce_change(tx, row)
        assert (await sending).headers["location"] == "/hub/spawn-pending/ada?next=/user/ada/lab/tree/"
        assert (await hub.server("ada")).waiting


async def test_where_there_are_named_servers_each_repository_has_one(tmp_path: Path) -> None:
    async with ada_at(tmp_path, allow_named_servers=True) as (hub, browser):
        await hub.server("ada", **RUNNING)
        reply = await browser.send_form(link(repo=REPO), repo=REPO)
        assert reply.headers["location"] == "/hub/spawn-pending/ada/x?next=/user/ada/x/lab/tree/"
        other = "https://git.example/class/group/x.git"
        reply = await browser.send_form(link(repo=other), repo=other)
        named = re.fullmatch(r"/hub/spawn-pending/ada/(x-[0-9a-f]{8})\?next=.*", reply.headers["location"])
        assert named, "two repositories may have one name"
        reply = await browser.get(link(repo=REPO))
        assert reply.headers["location"].startswith("/hub/spawn-pending/ada/x?")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "address of a repository is missing"),
        ({"repo": "https://evil.example/x"}, "not among those that this hub allows"),
        ({"repo": "https://git.example/classified/x"}, "not among those that this hub allows"),
        ({"repo": "javascript:alert(1)"}, "is no address of a repository"),
        ({"repo": '"><script>alert(1)</script>'}, "is no address of a repository"),
        ({"repo": REPO, "ref": "--upload-pack=id"}, "is no branch, tag or commit"),
        ({"repo": REPO, "ref": "$(id)"}, "is no branch, tag or commit"),
        ({"repo": REPO, "path": "../../etc/passwd"}, "leads out of the repository"),
        ({"repo": REPO, "path": "%2e%2e/x"}, "is no path in a repository"),
        ({"repo": REPO, "path": "//evil.example/x"}, "is no path in a repository"),
        ({"repo": REPO, "path": "\\evil.example"}, "is no path in a repository"),
    ],
)
async def test_nothing_of_a_link_is_believed(tmp_path: Path, asked: dict[str, str], said: str) -> None:
    async with ada_at(tmp_path) as (hub, browser):
        page = await browser.get(link(**asked))
        token = await browser.xsrf("/hub/token")
        sent = await browser.post("/hub/launch", data={**asked, "_xsrf": token})
        for reply in (page, sent):
            assert reply.status_code == 400
            assert said in html.unescape(reply.text)
            assert "<script>alert" not in reply.text
            assert 'id="launch"' not in reply.text
        assert await find_server(hub.ctx, "ada") is None


async def test_another_site_cannot_send_the_form(tmp_path: Path) -> None:
    async with ada_at(tmp_path) as (hub, browser):
        token = await browser.xsrf(link(**ASKED))
        foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        data = {**ASKED, "_xsrf": token}
        assert (await browser.post("/hub/launch", data=data, headers=foreign)).status_code == 403
        stale = await browser.post("/hub/launch", data={**ASKED, "_xsrf": "x"})
        assert stale.status_code == 403
        assert "out of date" in stale.text
        assert 'id="launch"' in stale.text, "the form is shown again"
        assert await find_server(hub.ctx, "ada") is None


async def test_by_default_and_with_other_drivers_it_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in("ada")
        page = await browser.get(link(**ASKED))
        assert page.status_code == 400
        assert "starts no servers from repositories" in page.text
    monkeypatch.setattr(NowhereSpawner, "opens_repositories", False)
    async with ada_at(tmp_path) as (_, browser):
        assert "cannot be started from repositories" in (await browser.get(link(**ASKED))).text


async def test_with_profiles_the_first_one_that_takes_a_repository_is_meant(tmp_path: Path) -> None:
    course = RepositoryRule(rules=RepositoryRules(everything=True), sets={"repository": "{value}"})
    size = TextRule(default="large")
    options = (Option("course", course), Option("size", size))
    profiles = (Profile(id="plain", title="Plain"), Profile(id="course", title="Course", options=options))
    async with ada_at(tmp_path) as (hub, browser):
        object.__setattr__(hub.ctx, "profiles", ProfileSource("Profiles.profiles", profiles))
        reply = await browser.send_form(link(**ASKED), **ASKED)
        assert "/hub/spawn-pending/ada?next=" in reply.headers["location"]
        server = await find_server(hub.ctx, "ada")
        assert server is not None
        line = f"{REPO}#v1:notebooks/a b.ipynb"
        assert server.user_options == {"profile": "course", "options": {"course": line, "size": "large"}}
        assert (await browser.get(link(**ASKED))).headers["location"] == reply.headers["location"]
        object.__setattr__(hub.ctx, "profiles", ProfileSource("Profiles.profiles", profiles[:1]))
        assert "None of the profiles" in (await browser.get(link(**ASKED))).text
