"""Requests for a server that reached the hub."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from carrel.core.routes import wanted_routes
from carrel.domain.events import RouteMissing
from tests.http.hub import open_hub
from tests.web.test_server_pages import FAILED, RUNNING, STARTING, STOPPING


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/user/ada", "/hub/user/ada"),
        ("/user/ada/", "/hub/user/ada/"),
        ("/user/ada/lab/tree/a%20b%2Fc?x=%2F&y", "/hub/user/ada/lab/tree/a%20b%2Fc?x=%2F&y"),
        ("/user/nobody/lab", "/hub/user/nobody/lab"),
    ],
)
async def test_people_are_sent_where_their_cookie_counts(tmp_path: Path, path: str, location: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reply = await browser.get(f"http://hub.example{path}")
        assert (reply.status_code, reply.headers["location"]) == (302, location)


@pytest.mark.parametrize("prefix", ["/user/ada", "/hub/user/ada", "/user/nobody", "/hub/user/nobody"])
async def test_programs_are_told_that_nothing_runs_there(tmp_path: Path, prefix: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await hub.server("ada")
        for method, path, accept in (
            ("POST", "/lab", "*/*"),
            ("DELETE", "/x", "text/html"),
            ("GET", "/api/contents", "*/*"),
            ("GET", "/lab", "application/json"),
        ):
            reply = await browser.request(method, f"{prefix}{path}", headers={"Accept": accept})
            assert reply.status_code == 424
            assert reply.json().keys() == {"message"}
            assert reply.headers["retry-after"] == "5"
            assert "no longer running" in reply.json()["message"]


async def test_the_old_status_of_a_stopped_server(tmp_path: Path) -> None:
    async with (
        open_hub(tmp_path, use_legacy_stopped_server_status_code=True) as hub,
        hub.browser() as browser,
    ):
        await browser.log_in()
        await hub.server("ada")
        assert (await browser.get("/hub/user/ada/lab")).status_code == 503
        assert (await browser.get("/hub/user/ada/api/contents")).status_code == 503
        assert (await wanted_routes(hub.ctx))["/"].data["stopped_status"] == 503


async def test_a_visit_starts_the_server_in_a_while_where_that_is_wanted(tmp_path: Path) -> None:
    async with open_hub(tmp_path, implicit_spawn_seconds=2.5) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada")
        page = (await browser.get("/hub/user/ada/lab/tree?x=1")).text
        refresh = page.partition('http-equiv="refresh" content="')[2].partition('"')[0]
        seconds, _, address = unescape(refresh).partition(";url=")
        assert seconds == "3"
        assert address == "/hub/spawn/ada?next=/user/ada/lab/tree%3Fx%3D1"
        assert "in 3 seconds" in page
        # One that has just failed is left to its owner.
        await hub.server("ada", **FAILED)
        assert "http-equiv" not in (await browser.get("/hub/user/ada/lab")).text


async def test_a_visitor_who_may_not_start_it_waits_for_nothing(tmp_path: Path) -> None:
    async with open_hub(tmp_path, implicit_spawn_seconds=1) as hub, hub.browser() as browser:
        await hub.may("bea", "access:servers!user=ada")
        await browser.log_in("bea")
        await hub.server("ada")
        page = await browser.get("/hub/user/ada/lab")
        assert page.status_code == 424
        assert "http-equiv" not in page.text


@pytest.mark.parametrize("path", ["/user/ada/api/kernels", "/hub/user/ada/lab"])
async def test_a_missing_route_is_reported(tmp_path: Path, path: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada")
        await browser.get(path)
        assert hub.missing == []
        await hub.server("ada", **RUNNING)
        await browser.get(path)
        assert hub.missing == [RouteMissing("ada", "")]


async def test_a_running_server_is_tried_a_few_times_and_then_explained(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", **RUNNING)
        path, hops = "/user/ada/lab?x=1", []
        for _ in range(20):
            reply = await browser.get(path)
            if reply.status_code != 302:
                break
            path = reply.headers["location"]
            hops.append(path)
        assert reply.status_code == 500
        assert "cannot be reached" in reply.text
        assert [hop for hop in hops if hop.startswith("/user/")] == [
            f"/user/ada/lab?x=1&redirects={hop}" for hop in (1, 2, 3, 4)
        ]
        assert hub.clock.slept == sorted(hub.clock.slept)
        assert sum(hub.clock.slept) < 5


@pytest.mark.parametrize("redirects", ["-1", "x", "99999999999", "٣", "", "0"])
async def test_a_forged_count_does_no_harm(tmp_path: Path, redirects: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", **RUNNING)
        reply = await browser.get("/hub/user/ada/lab", params={"redirects": redirects})
        assert reply.headers["location"] == "/user/ada/lab?redirects=1"


async def test_what_does_not_run_can_be_started_from_there(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        for row in (None, STOPPING, FAILED):
            if row is not None:
                await hub.server("ada", **row)
            reply = await browser.get("/hub/user/ada/lab/tree/x?y=1")
            assert reply.status_code == 424
            assert 'id="start"' in reply.text
            assert 'name="next" value="/user/ada/lab/tree/x?y=1"' in reply.text
        assert "has failed" in reply.text


async def test_a_starting_server_shows_its_progress(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", **STARTING)
        reply = await browser.get("/hub/user/ada/lab?x=1")
        assert reply.headers["location"] == "/hub/spawn-pending/ada?next=/user/ada/lab%3Fx%3D1"


async def test_others_learn_nothing(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as eve, hub.browser() as root:
        await hub.user("root", admin=True)
        await eve.log_in("eve")
        await root.log_in("root")
        pages = []
        for name, row in (("ada", RUNNING), ("grace", FAILED), ("nobody", None)):
            if row is not None:
                await hub.server(name, **row)
            reply = await eve.get(f"/hub/user/{name}/lab")
            assert reply.status_code == 404
            pages.append(reply.text.replace(reply.headers["x-request-id"], "the request"))
        assert pages[0] == pages[1] == pages[2]
        assert (await root.get("/hub/user/ada/lab")).headers["location"] == "/user/ada/lab?redirects=1"
        assert (await root.get("/hub/user/grace/lab")).status_code == 424
        assert (await root.get("/hub/user/nobody/lab")).status_code == 404


async def test_one_link_leads_everybody_to_their_own_server(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        link = "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fx.example%2Fr&branch=main"
        aim = "/user/ada/git-pull?repo=https%3A%2F%2Fx.example%2Fr&branch=main"
        first = (await browser.get(link)).headers["location"]
        assert first.startswith("/hub/spawn/ada?next=/user/ada/git-pull%3Frepo%3D")
        pending = (await browser.get(first)).headers["location"]
        await hub.server("ada", **RUNNING)
        assert (await browser.get(pending)).headers["location"] == aim
        assert (await browser.get(link)).headers["location"] == aim
        assert (await browser.get("/hub/user-redirect//evil.example")).headers[
            "location"
        ] == "/user/ada/evil.example"
