"""The administration of users: the list, its search, what is done to many, and who sees what of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.domain.servers import Actual, Wanted
from tests.http.hub import Browser, Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless
from tests.web.test_server_pages import FAILED, RUNNING, STARTING, STOPPING


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with ada, bea and cy in a class, dot outside of it, and root, who is an admin."""
    async with open_hub(tmp_path, allow_named_servers=True) as hub:
        for name in ("ada", "bea", "cy", "dot"):
            await hub.user(name)
        await hub.user("root", admin=True)
        await hub.group("class", "ada", "bea", "cy")
        yield hub


@pytest.fixture
async def root(hub: Hub) -> AsyncIterator[Browser]:
    """The admin's browser."""
    async with hub.browser() as browser:
        await browser.log_in("root")
        yield browser


def listed(html: str) -> list[str]:
    """Return the names in the list, in order."""
    return re.findall(r'<a href="/hub/admin/users/[^"]+">([^<]*)</a>', html)


async def test_the_list_shows_everybody_with_their_state(hub: Hub, root: Browser) -> None:
    for name, row in {"ada": RUNNING, "bea": STARTING, "cy": STOPPING, "dot": FAILED}.items():
        await hub.server(name, **row)
    html = (await root.get("/hub/admin")).text
    assert listed(html) == ["ada", "bea", "cy", "dot", "root"]
    rows = dict(zip(listed(html), html.split('<tr role="row">')[2:], strict=True))
    for name, state in {
        "ada": "Running", "bea": "Starting", "cy": "Stopping", "dot": "Failed", "root": "Stopped",
    }.items():  # fmt: skip
        assert f">{state}</span>" in rows[name], name
    assert 'href="/user/ada/"' in rows["ada"]
    assert "class" in rows["ada"]
    assert ">Admin</span>" in rows["root"]
    assert ">Admin</span>" not in rows["ada"]
    buttons = {name: set(re.findall(r'name="one" value="(\w+) ', row)) for name, row in rows.items()}
    assert buttons == {"ada": {"stop"}, "bea": {"stop"}, "cy": set(), "dot": {"start"}, "root": {"start"}}


async def test_who_may_not_administrate_is_told_so_in_words_for_people(hub: Hub) -> None:
    async with hub.browser() as ada:
        await ada.log_in("ada")
        refused = await ada.get("/hub/admin")
        assert refused.status_code == 403
        assert "This takes a right that you do not have: admin-ui." in refused.text
        assert "Ask whoever runs this hub" in refused.text
        hidden = await ada.get("/hub/spawn/bea")
        assert hidden.status_code == 404
        assert "It does not exist, or you may not have access to it." in hidden.text
        for page in (refused, hidden):
            assert "scopes" not in page.text
            assert "resources" not in page.text


async def test_search_state_and_order(hub: Hub, root: Browser) -> None:
    await hub.server("bea", **RUNNING)
    await hub.server("cy", **STARTING)
    for query, names in {
        "name_filter=A": ["ada", "bea"],
        "name_filter=%25": [],
        "state=active": ["bea", "cy"],
        "state=ready": ["bea"],
        "state=inactive&name_filter=o": ["dot", "root"],
        "sort=-name": ["root", "dot", "cy", "bea", "ada"],
        "sort=-id&name_filter=d": ["dot", "ada"],
    }.items():
        html = (await root.get(f"/hub/admin?{query}")).text
        assert listed(html) == names, query
    assert "Nobody fits." in (await root.get("/hub/admin?name_filter=%25")).text
    html = (await root.get("/hub/admin?name_filter=a&state=inactive&sort=name")).text
    assert 'value="a"' in html
    assert '<option value="inactive" selected>' in html
    assert (
        'aria-sort="ascending"><a href="/hub/admin?name_filter=a&amp;state=inactive&amp;sort=-name"' in html
    )


@pytest.mark.parametrize("query", ["sort=size", "state=odd", "offset=x", "offset=1.5"])
async def test_an_address_that_cannot_be_is_refused(root: Browser, query: str) -> None:
    reply = await root.get(f"/hub/admin?{query}")
    assert reply.status_code == 400
    assert "The address of this list is wrong" in reply.text


async def test_pages_follow_each_other(hub: Hub, root: Browser) -> None:
    async with hub.ctx.store.write() as tx:
        for number in range(115):
            await tx.users.create(f"user{number:03}", admin=False, now=0.0)
    seen: list[str] = []
    address = "/hub/admin?name_filter=user"
    while address:
        html = (await root.get(address)).text
        seen += listed(html)
        following = re.search(r'rel="next" href="([^"]+)"', html)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"user{number:03}" for number in range(115)]
    assert "101–115 of 115 users" in html
    back = re.search(r'rel="prev" href="([^"]+)"', html)
    assert back
    assert back[1].endswith("offset=50")
    far = await root.get("/hub/admin?offset=99999999999999999999")
    assert far.status_code == 200
    assert "There is nobody on this page." in far.text


async def test_ten_thousand_users_cost_as_many_statements_as_fifty(hub: Hub, root: Browser) -> None:
    async def statements(query: str) -> int:
        seen: list[str] = []
        await root.get("/hub/home")
        async with hub.ctx.store.read() as tx:
            connection = tx._link._connection  # type: ignore[attr-defined]
        connection.set_trace_callback(seen.append)
        html = (await root.get(f"/hub/admin?{query}")).text
        connection.set_trace_callback(None)
        assert len(listed(html)) <= 50
        return len([text for text in seen if text.startswith("SELECT")])

    queries = ("", "name_filter=er1", "state=inactive&sort=-last_activity", "sort=-name&offset=50")
    few = [await statements(query) for query in queries]
    async with hub.ctx.store.write() as tx:
        for number in range(10_000):
            await tx.users.create(f"user{number:05}", admin=False, now=0.0)
    many = [await statements(query) for query in queries]
    # Services, users, how many there are unless the page tells, servers, groups, roles.
    assert max(few) == max(many) == 6
    assert "1–50 of 10005 users" in (await root.get("/hub/admin")).text


async def test_one_server_is_started_and_stopped(hub: Hub, root: Browser) -> None:
    reply = await root.send_form("/hub/admin?name_filter=a&offset=0", one="start ada/")
    assert reply.headers["location"] == "/hub/admin?name_filter=a&offset=0&done=asked"
    assert (await hub.server("ada")).wanted is Wanted.RUNNING
    await root.send_form("/hub/admin", one="stop ada/", server=["bea/"], all="start")
    assert (await hub.server("ada")).wanted is Wanted.STOPPED
    assert (await hub.server("bea")).wanted is Wanted.STOPPED


async def test_many_servers_are_started_and_stopped(hub: Hub, root: Browser) -> None:
    await hub.server("cy", "gpu")
    servers = ["ada/", "bea/", "cy/gpu"]
    assert (await root.send_form("/hub/admin", all="start", server=servers)).status_code == 302
    for name, server in (("ada", ""), ("bea", ""), ("cy", "gpu")):
        assert (await hub.server(name, server)).wanted is Wanted.RUNNING
    assert (await hub.server("cy")).wanted is Wanted.STOPPED
    assert (await root.send_form("/hub/admin", all="stop", server=servers[:2])).status_code == 302
    assert (await hub.server("ada")).wanted is Wanted.STOPPED
    assert (await hub.server("cy", "gpu")).wanted is Wanted.RUNNING


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"all": "start"}, 400, "Tick the servers first."),
        ({"all": "burn", "server": ["ada/"]}, 400, "can be started and stopped"),
        ({"one": "start"}, 404, "There is no such server"),
        ({"one": "start nobody/"}, 404, "There is no such server"),
        ({"one": "start ada/Not A Name"}, 400, "Invalid server_name"),
        ({"all": "start", "server": ["bea/", "ada/"]}, 400, "ada is already running"),
        ({"all": "stop", "server": ["x/"] * 501}, 400, "At most 500 servers"),
    ],
)
async def test_what_is_refused_is_said_above_the_list(
    hub: Hub, root: Browser, fields: dict[str, object], status: int, said: str
) -> None:
    await hub.server("ada", **RUNNING)
    reply = await root.send_form("/hub/admin?name_filter=a", **fields)
    assert reply.status_code == status
    assert said in reply.text.partition('role="alert"')[2].partition("</div>")[0]
    assert listed(reply.text) == ["ada", "bea"]


async def test_users_are_added(hub: Hub, root: Browser) -> None:
    reply = await root.send_form("/hub/admin/add", names=" eve \r\nFay\r\n\r\nada\r\na b ", admin="1")
    assert reply.headers["location"] == "/hub/admin?done=added&sort=-id"
    for name, admin in {"eve": True, "fay": True, "a b": True, "ada": False}.items():
        async with hub.ctx.store.read() as tx:
            user = await tx.users.get(name)
        assert user is not None, name
        assert user.admin is admin
    assert 'role="status">Added.' in (await root.get(reply.headers["location"])).text


@pytest.mark.parametrize(
    ("names", "status", "said"),
    [
        ("", 400, "Write at least one name."),
        ("good\na/b", 400, "Invalid username: a/b"),
        ("ada\nbea", 409, "All 2 users already exist"),
    ],
)
async def test_wrong_names_are_said_beside_the_field_and_kept(
    hub: Hub, root: Browser, names: str, status: int, said: str
) -> None:
    reply = await root.send_form("/hub/admin/add", names=names)
    assert reply.status_code == status
    assert said in reply.text
    assert f">{names}</textarea>" in reply.text
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get("good") is None


async def test_a_tutor_sees_and_does_what_the_role_says(hub: Hub) -> None:
    await hub.may("tina", "admin-ui", "list:users!group=class", "servers!group=class")
    await hub.server("ada", **RUNNING)
    await hub.server("dot", **RUNNING)
    async with hub.browser() as tina:
        await tina.log_in("tina")
        html = (await tina.get("/hub/admin")).text
        assert listed(html) == ["ada", "bea", "cy"]
        assert 'href="/hub/admin/add"' not in html
        assert 'href="/hub/admin/groups"' not in html
        # Stopping is hers, opening is not.
        assert 'href="/user/ada/"' not in html
        assert 'value="stop ada/"' in html
        assert (await tina.send_form("/hub/admin", all="stop", server=["ada/", "dot/"])).status_code == 404
        assert (await hub.server("ada")).wanted is Wanted.STOPPED
        assert (await hub.server("dot")).wanted is Wanted.RUNNING
        for path in ("/hub/admin/add", "/hub/admin/groups"):
            assert (await tina.get(path)).status_code == 403
        token = await tina.xsrf("/hub/home")
        reply = await tina.post("/hub/admin/add", data={"_xsrf": token, "names": "mallory"})
        assert reply.status_code == 403


async def test_the_right_to_open_the_page_shows_nothing_by_itself(hub: Hub) -> None:
    await hub.may("eve", "admin-ui")
    await hub.may("gus", "admin-ui", "list:groups")
    async with hub.browser() as eve, hub.browser() as gus:
        await eve.log_in("eve")
        await gus.log_in("gus")
        html = (await eve.get("/hub/admin")).text
        assert "there is nothing on it that you may see" in html
        assert re.search(r"\bada\b", html) is None
        assert (await gus.get("/hub/admin")).headers["location"] == "/hub/admin/groups"


async def test_without_the_right_there_is_neither_page_nor_link(hub: Hub) -> None:
    await hub.may("eve", "list:users", "servers", "admin:users", "delete:users", "groups", "delete:groups")
    paths = (
        "/hub/admin",
        "/hub/admin/add",
        "/hub/admin/users/ada",
        "/hub/admin/users/ada/delete",
        "/hub/admin/groups",
        "/hub/admin/groups/group?name=class",
        "/hub/admin/groups/delete?name=class",
    )
    async with hub.browser() as eve, hub.browser() as stranger:
        await eve.log_in("eve")
        assert 'href="/hub/admin"' not in (await eve.get("/hub/home")).text
        token = await eve.xsrf("/hub/home")
        for path in paths:
            assert (await eve.get(path)).status_code == 403, path
            fields = {
                "_xsrf": token,
                "names": "x",
                "one": "start ada/",
                "save": "1",
                "name": "x",
                "start": "",
            }
            assert (await eve.post(path, data=fields)).status_code == 403, path
            for reply in (await stranger.get(path), await stranger.post(path)):
                assert reply.headers["location"].startswith("/hub/login?next=/hub/admin"), path
    assert (await hub.server("ada")).wanted is Wanted.STOPPED
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get("ada") is not None
        assert await tx.groups.get("class") is not None
        assert await tx.users.get("x") is None


@pytest.mark.parametrize("path", ["/hub/admin", "/hub/admin/add"])
async def test_a_form_without_its_token_does_nothing(hub: Hub, root: Browser, path: str) -> None:
    for fields in ({}, {"_xsrf": "old"}):
        reply = await root.post(path, data={"names": "eve", "one": "start ada/", **fields})
        assert reply.status_code == 403
        assert "out of date" in reply.text
    assert (await hub.server("ada")).wanted is Wanted.STOPPED
    assert (await hub.server("ada")).actual is Actual.STOPPED
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get("eve") is None


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_names_become_no_markup(hub: Hub, root: Browser, polyglot: str) -> None:
    name = polyglot.replace("/", "")
    await hub.user(name)
    await hub.group(polyglot.strip(), name)
    await hub.server(name, display_name=polyglot)
    for reply in (
        await root.get("/hub/admin"),
        await root.get("/hub/admin", params={"name_filter": polyglot, "done": polyglot}),
        await root.get("/hub/admin", params={"sort": polyglot}),
        await root.send_form("/hub/admin", one=f"start {polyglot}"),
        await root.send_form("/hub/admin/add", names=polyglot + "/"),
    ):
        assert_harmless(reply.text, polyglot)
