"""Home, start, progress and stop, as far as a page shows or asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.domain.events import ServerProgress
from carrel.domain.servers import Actual, Failure, Server, Wanted
from tests.http.hub import PASSWORD, Browser, Hub, open_hub

#: Fields of a server's row.
Row = dict[str, Any]

RUNNING: Row = {"wanted": Wanted.RUNNING, "actual": Actual.RUNNING, "url": "http://127.0.0.1:1"}
STARTING: Row = {"wanted": Wanted.RUNNING, "actual": Actual.STARTING, "generation": 1, "wanted_generation": 1}
STOPPING: Row = {"wanted": Wanted.STOPPED, "actual": Actual.STOPPING}
FAILED: Row = {
    "wanted": Wanted.RUNNING,
    "actual": Actual.FAILED,
    "generation": 1,
    "wanted_generation": 1,
    "failure": Failure("exit", "It <b>ended</b> at once.", log="Traceback\n<script>", hint="Ask Grace."),
}


@pytest.mark.parametrize(
    ("row", "shown", "hidden"),
    [
        (None, ["Stopped", "Start My Server", 'id="start"'], ['id="stop"']),
        (RUNNING, ["Running", "My Server", 'href="/user/ada/"', 'id="stop"'], ["Start My Server"]),
        (STARTING, ["Starting", "/hub/spawn-pending/ada", 'id="stop"'], ["Start My Server"]),
        (STOPPING, ["Stopping", 'http-equiv="refresh"'], ['id="stop"', 'id="start"']),
        (
            FAILED,
            ["Failed", "&lt;b&gt;ended&lt;/b&gt;", "Ask Grace.", "Traceback", "Start My Server"],
            ["<script>"],
        ),
    ],
)
async def test_home_shows_the_state(tmp_path: Path, row: Any, shown: list[str], hidden: list[str]) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        if row is not None:
            await hub.server("ada", **row)
        text = (await browser.get("/hub/home")).text
        for piece in shown:
            assert piece in text
        for piece in hidden:
            assert piece not in text


@pytest.mark.parametrize(
    "path", ["/hub/home", "/hub/spawn", "/hub/spawn-pending/ada", "/hub/user-redirect/lab"]
)
async def test_a_stranger_is_asked_to_sign_in_and_comes_back(tmp_path: Path, path: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reply = await browser.get(f"{path}?a=b")
        assert reply.headers["location"] == f"/hub/login?next={quote(path + '?a=b')}"


@pytest.mark.parametrize(
    ("settings", "location"),
    [
        ({}, "/hub/spawn"),
        ({"redirect_to_server": False}, "/hub/home"),
        ({"default_url": "/hub/elsewhere"}, "/hub/elsewhere"),
        ({"default_url": lambda handler: "/hub/asked"}, "/hub/asked"),
    ],
)
async def test_the_root_leads_on(tmp_path: Path, settings: dict[str, Any], location: str) -> None:
    async with open_hub(tmp_path, **settings) as hub, hub.browser() as browser:
        first = (await browser.get("/hub/")).headers["location"]
        assert first == (location if "default_url" in settings else "/hub/login")
        await browser.log_in()
        assert (await browser.get("/hub/")).headers["location"] == location
        for path in ("/", "/hub"):
            assert (await browser.get(path)).headers["location"] == "/hub/"


async def wish_of(hub: Hub, name: str = "ada") -> Server:
    return await hub.server(name)


async def test_a_visit_starts_the_server_and_a_second_one_joins(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        for path in ("/hub/spawn", "/hub/spawn/ada", "/hub/spawn/ada?next=/user/ada/tree"):
            reply = await browser.get(path)
            assert reply.headers["location"].startswith("/hub/spawn-pending/ada")
        server = await wish_of(hub)
        assert (server.wanted, server.wanted_generation) == (Wanted.RUNNING, 1)
        assert reply.headers["location"] == "/hub/spawn-pending/ada?next=/user/ada/tree"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "bogus"])
async def test_a_link_of_another_site_starts_nothing(tmp_path: Path, site: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        url = "/hub/spawn?next=/user/ada/lab&opt-size=big"
        page = await browser.get(url, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})
        assert page.status_code == 200
        assert "nothing was started" in page.text
        assert (await wish_of(hub)).wanted is Wanted.STOPPED
        token = page.text.partition('name="_xsrf" value="')[2].partition('"')[0]
        action = page.text.partition('action="/hub/spawn')[2].partition('"')[0].replace("&amp;", "&")
        reply = await browser.post(f"/hub/spawn{action}", data={"_xsrf": token, "next": "/user/ada/lab"})
        assert reply.headers["location"] == "/hub/spawn-pending/ada?next=/user/ada/lab"
        server = await wish_of(hub)
        assert server.wanted is Wanted.RUNNING
        assert server.user_options == {"size": ["big"]}


def form_of(spawner: Any) -> str:
    return (
        '<label for="size">Size</label><select id="size" name="size"><option>big</option></select>'
        '<label for="note">Note</label><input id="note" name="note" value="nothing">'
    )


def read_form(form: dict[str, list[str]]) -> dict[str, Any]:
    if form["size"] != ["big"]:
        raise ValueError("There is only <big>")
    return {"size": form["size"][0]}


OPTIONS = {"Spawner": {"options_form": form_of, "options_from_form": read_form}}


class Busy(DummyAuthenticator):
    """Takes its time before each start; meanwhile something happens."""

    refresh_pre_spawn = True
    hub: Hub
    row: Row

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:
        await self.hub.server("ada", **self.row)
        return True


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("row", "leads_to"),
    [(RUNNING, "/user/ada/"), (STARTING, "/hub/spawn-pending/ada"), (STOPPING, "/hub/spawn-pending/ada")],
)
async def test_a_server_that_another_tab_has_started_meanwhile_is_led_to(
    tmp_path: Path, method: str, row: Row, leads_to: str
) -> None:
    busy = Busy(password=PASSWORD)
    async with open_hub(tmp_path, authenticator=busy) as hub, hub.browser() as browser:
        busy.hub, busy.row = hub, row
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        data = {"_xsrf": token} if method == "POST" else None
        answer = await browser.request(method, "/hub/spawn/ada", data=data)
        assert (answer.status_code, answer.headers["location"]) == (302, leads_to)


async def test_a_form_is_shown_checked_and_kept(tmp_path: Path) -> None:
    async with open_hub(tmp_path, plugins=OPTIONS) as hub, hub.browser() as browser:
        await browser.log_in()
        page = await browser.get("/hub/spawn?next=/user/ada/lab")
        assert '<select id="size"' in page.text
        assert (await wish_of(hub)).wanted is Wanted.STOPPED
        token = page.text.partition('name="_xsrf" value="')[2].partition('"')[0]
        fields = {"_xsrf": token, "size": "small", "note": "<mine>"}
        wrong = await browser.post("/hub/spawn/ada", data=fields)
        assert wrong.status_code == 400
        assert "There is only &lt;big&gt;" in wrong.text
        assert 'value="&lt;mine&gt;"' in wrong.text
        stale = await browser.post("/hub/spawn/ada", data={"_xsrf": "old", "size": "big"})
        assert stale.status_code == 403
        assert "out of date" in stale.text
        files = {"upload": ("a.txt", b"abc", "text/plain")}
        data = {"_xsrf": token, "size": "big", "next": "/user/ada/lab"}
        good = await browser.post("/hub/spawn/ada", data=data, files=files)
        assert good.headers["location"] == "/hub/spawn-pending/ada?next=/user/ada/lab"
        assert (await wish_of(hub)).user_options == {"size": "big"}


async def test_options_in_a_link_start_at_once(tmp_path: Path) -> None:
    async with open_hub(tmp_path, plugins=OPTIONS) as hub, hub.browser() as browser:
        await browser.log_in()
        wrong = await browser.get("/hub/spawn?opt-size=small&opt-note=kept")
        assert wrong.status_code == 400
        assert 'value="kept"' in wrong.text
        assert "There is only &lt;big&gt;" in wrong.text
        await browser.get("/hub/spawn?opt-size=big")
        assert (await wish_of(hub)).user_options == {"size": "big"}


async def test_only_who_may_start_others_servers_does(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as eve, hub.browser() as root:
        await hub.user("ada")
        await hub.user("root", admin=True)
        await eve.log_in("eve")
        await root.log_in("root")
        assert (await eve.get("/hub/spawn/ada")).status_code == 404
        token = await eve.xsrf("/hub/home")
        assert (await eve.post("/hub/spawn/ada", data={"_xsrf": token})).status_code == 404
        assert (await eve.post("/hub/stop/ada", data={"_xsrf": token})).status_code == 404
        assert (await eve.get("/hub/spawn-pending/ada")).status_code == 404
        assert (await wish_of(hub)).wanted is Wanted.STOPPED
        assert (await root.get("/hub/spawn/nobody")).status_code == 404
        assert (await root.get("/hub/spawn/ada")).headers["location"] == "/hub/spawn-pending/ada"
        assert (await wish_of(hub)).wanted is Wanted.RUNNING


async def test_what_runs_is_not_started_again(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", **RUNNING)
        assert (await browser.get("/hub/spawn")).headers["location"] == "/user/ada/"
        token = await browser.xsrf("/hub/home")
        reply = await browser.post("/hub/spawn?next=/user/ada/lab", data={"_xsrf": token})
        assert reply.headers["location"] == "/user/ada/lab"


async def test_the_pending_page_of_a_start_that_waits_says_where_it_stands(tmp_path: Path) -> None:
    due: Row = {"wanted": Wanted.RUNNING, "wanted_generation": 1}
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        for place, name in enumerate(("bea", "cleo", "ada")):
            if name != "ada":
                async with hub.ctx.store.write() as tx:
                    await tx.users.create(name, admin=False, now=0.0)
            await hub.server(name, wished=float(place), **due)
        assert "Waiting: 2 starts are ahead" in (await browser.get("/hub/spawn-pending/ada")).text


async def test_a_server_that_cannot_be_stopped_says_why(tmp_path: Path) -> None:
    stuck = Failure("stop-error", "The server cannot be stopped: <no>.", hint="The hub keeps trying.")
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        await hub.server("ada", **STOPPING, failure=stuck)
        text = (await browser.get("/hub/spawn-pending/ada")).text
        assert "The server cannot be stopped: &lt;no&gt;." in text
        assert "The hub keeps trying." in text


async def test_the_pending_page_tells_what_has_happened(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        server = await hub.server("ada", **STARTING)
        hub.ctx.progress.say(ServerProgress(server.id, 1, 40, "Pulling <image>"))
        page = await browser.get("/hub/spawn-pending/ada?next=/user/ada/lab")
        assert page.status_code == 200
        assert 'data-progress-url="/hub/api/users/ada/server/progress"' in page.text
        assert 'data-ready-url="/user/ada/lab"' in page.text
        assert 'value="40"' in page.text
        assert "Pulling &lt;image&gt;" in page.text
        assert '<noscript><meta http-equiv="refresh"' in page.text
        assert 'action="/hub/stop/ada"' in page.text


@pytest.mark.parametrize(
    ("row", "status", "expected"),
    [
        (RUNNING, 302, "/user/ada/"),
        (STOPPING, 200, "Your server is stopping"),
        (FAILED, 424, "Try again"),
        ({}, 302, "/hub/home"),
        (None, 302, "/hub/home"),
    ],
)
async def test_the_pending_page_ends(tmp_path: Path, row: Any, status: int, expected: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        if row is not None:
            await hub.server("ada", **row)
        reply = await browser.get("/hub/spawn-pending/ada")
        assert reply.status_code == status
        assert (reply.headers["location"] == expected) if status == 302 else (expected in reply.text)


async def test_a_failure_as_its_owner_and_as_an_admin_see_it(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as ada, hub.browser() as root:
        await hub.user("root", admin=True)
        await hub.server("ada", **FAILED)
        await ada.log_in("ada")
        await root.log_in("root")
        own = (await ada.get("/hub/spawn-pending/ada")).text
        other = (await root.get("/hub/spawn-pending/ada")).text
        for page in (own, other):
            assert "It &lt;b&gt;ended&lt;/b&gt; at once." in page
            assert "Ask Grace." in page
            assert "Traceback\n&lt;script&gt;</pre>" in page
            assert "Try again" in page
        assert "<code>exit</code>" in other
        assert "<code>exit</code>" not in own


async def stop(browser: Browser) -> str:
    token = await browser.xsrf("/hub/home")
    return str((await browser.post("/hub/stop/ada", data={"_xsrf": token})).headers["location"])


async def test_stopping_goes_home_or_waits(tmp_path: Path) -> None:
    async with open_hub(tmp_path, slow_stop_timeout=0.01) as hub, hub.browser() as browser:
        await browser.log_in()
        assert await stop(browser) == "/hub/home"
        await hub.server("ada", **RUNNING)
        assert await stop(browser) == "/hub/spawn-pending/ada"
        assert (await wish_of(hub)).wanted is Wanted.STOPPED


async def test_a_form_without_a_session_leads_to_the_login_page(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        for path in ("/hub/spawn", "/hub/stop/ada"):
            assert (await browser.post(path)).headers["location"].startswith("/hub/login?next=")
