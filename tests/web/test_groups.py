"""The administration of groups: the list, members, properties, and who may."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from carrel.domain.groups import Group
from carrel.domain.paging import PageRequest
from carrel.domain.roles import Role
from tests.http.hub import Browser, Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless

#: A name that a path could not carry through every proxy.
ODD = "lab//a b?c=d&e/../%2F#é"
CLASS = "/hub/admin/groups/group?name=class"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with ada and bea in a class, and root, who is an admin."""
    async with open_hub(tmp_path) as hub:
        await hub.user("root", admin=True)
        await hub.user("cy")
        await hub.group("class", "ada", "bea")
        yield hub


@pytest.fixture
async def root(hub: Hub) -> AsyncIterator[Browser]:
    """The admin's browser."""
    async with hub.browser() as browser:
        await browser.log_in("root")
        yield browser


async def find(hub: Hub, name: str = "class") -> Group | None:
    async with hub.ctx.store.read() as tx:
        return await tx.groups.get(name)


async def members(hub: Hub, name: str = "class") -> tuple[str, ...]:
    group = await find(hub, name)
    assert group is not None
    return group.members


async def test_a_group_is_made_filled_and_deleted_whatever_its_name(hub: Hub, root: Browser) -> None:
    made = await root.send_form("/hub/admin/groups", name=ODD)
    page = made.headers["location"].removesuffix("&done=made")
    assert "made" in (await root.get(made.headers["location"])).text
    link = re.search(
        r'href="(/hub/admin/groups/group\?name=lab[^"]+)"', (await root.get("/hub/admin/groups")).text
    )
    assert link
    assert link[1].replace("&amp;", "&") == page
    reply = await root.send_form(page, add="1", users="ada\r\nCY\r\n")
    assert reply.headers["location"] == f"{page}&done=saved"
    assert await members(hub, ODD) == ("ada", "cy")
    await root.send_form(page, remove="ada")
    assert await members(hub, ODD) == ("cy",)
    removal = page.replace("/group?", "/delete?")
    assert await find(hub, ODD) is not None
    assert (await root.send_form(removal)).headers["location"] == "/hub/admin/groups?done=deleted"
    assert await find(hub, ODD) is None
    for path in (page, removal):
        assert (await root.get(path)).status_code == 404


async def test_the_list_counts_members_and_has_pages(hub: Hub, root: Browser) -> None:
    async with hub.ctx.store.write() as tx:
        for number in range(60):
            await tx.groups.create(f"group{number:02}")
    html = (await root.get("/hub/admin/groups")).text
    assert re.findall(r'data-label="Members">(\d+)<', html)[:2] == ["2", "0"]
    assert "1–50 of 61 groups" in html
    assert 'rel="next" href="/hub/admin/groups?offset=50"' in html
    assert "51–61 of 61 groups" in (await root.get("/hub/admin/groups?offset=50")).text
    for offset in ("x", "-", "1e3"):
        assert (await root.get(f"/hub/admin/groups?offset={offset}")).status_code == 400


async def test_many_members_have_pages(hub: Hub, root: Browser) -> None:
    await hub.group("large", *(f"user{number:03}" for number in range(130)))
    page = "/hub/admin/groups/group?name=large"
    html = (await root.get(page)).text
    assert html.count('name="remove"') == 100
    assert "1–100 of 130 members" in html
    assert f'rel="next" href="{page}&amp;offset=100"' in html
    assert (await root.get(f"{page}&offset=100")).text.count('name="remove"') == 30


async def test_no_page_of_groups_reads_all_members(hub: Hub, root: Browser) -> None:
    await hub.group("large", *(f"user{number:03}" for number in range(130)))
    read: list[tuple[Any, ...]] = []

    def keep(cursor: Any, row: tuple[Any, ...]) -> tuple[Any, ...]:
        read.append(row)
        return row

    async with hub.ctx.store.read() as tx:
        connection = tx._link._connection  # type: ignore[attr-defined]
    connection.row_factory = keep
    for path, most in {"/hub/admin/groups": 12, "/hub/admin/groups/group?name=large": 112}.items():
        read.clear()
        assert (await root.get(path)).status_code == 200
        assert 0 < len(read) <= most
    connection.row_factory = None


async def test_properties_are_a_json_object(hub: Hub, root: Browser) -> None:
    await root.send_form(CLASS, save="1", properties='{"term": "autumn", "deep": {"a": [1, null]}}')
    group = await find(hub)
    assert group is not None
    assert group.properties == {"term": "autumn", "deep": {"a": [1, None]}}
    assert "&#34;term&#34;: &#34;autumn&#34;" in (await root.get(CLASS)).text
    for wrong in ("{", "[1]", '"text"', "\ud83d", "{'a': 1}"):
        sent: Any = wrong.encode("utf-8", "surrogatepass")
        reply = await root.send_form(CLASS, save="1", properties=sent)
        assert reply.status_code == 400
        assert "Properties are a JSON object" in reply.text.partition('id="properties-problem"')[2]
    group = await find(hub)
    assert group is not None
    assert group.properties["term"] == "autumn"
    await root.send_form(CLASS, save="1", properties=" ")
    group = await find(hub)
    assert group is not None
    assert group.properties == {}


@pytest.mark.parametrize(
    ("path", "fields", "status", "field", "said"),
    [
        ("/hub/admin/groups", {"name": ""}, 400, "name", "Write a name."),
        ("/hub/admin/groups", {"name": "a\u200bb"}, 400, "", "printable characters"),
        ("/hub/admin/groups", {"name": "class"}, 409, "", "already exists"),
        (CLASS, {"add": "1", "users": ""}, 400, "users", "Write at least one"),
        (CLASS, {"add": "1", "users": "cy\nnobody"}, 400, "users", "No such user: nobody"),
        (CLASS, {"remove": "nobody"}, 400, "users", "No such user: nobody"),
        (CLASS, {}, 400, "", "nothing of what to do"),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(
    hub: Hub, root: Browser, path: str, fields: dict[str, str], status: int, field: str, said: str
) -> None:
    reply = await root.send_form(path, **fields)
    assert reply.status_code == status
    mark = f'id="{field}-problem">' if field else 'role="alert">'
    assert said in reply.text.partition(mark)[2].partition("</p>")[0]
    assert await members(hub) == ("ada", "bea")
    async with hub.ctx.store.read() as tx:
        assert [group.name for group in (await tx.groups.page(None, PageRequest())).items] == ["class"]


async def test_who_looks_after_one_group_sees_and_changes_that_one(hub: Hub) -> None:
    await hub.group("other", "cy")
    await hub.may("tina", "admin-ui", "groups!group=class")
    await hub.may("lea", "admin-ui", "list:groups")
    async with hub.browser() as tina, hub.browser() as lea:
        await tina.log_in("tina")
        await lea.log_in("lea")
        html = (await tina.get("/hub/admin/groups")).text
        assert "class" in html
        assert "other" not in html
        assert "Make a group" not in html
        assert "Delete" not in (await tina.get(CLASS)).text
        assert (await tina.send_form(CLASS, add="1", users="cy")).status_code == 302
        assert await members(hub) == ("ada", "bea", "cy")
        token = await tina.xsrf("/hub/home")
        fields = {"_xsrf": token, "add": "1", "users": "ada", "name": "fresh"}
        for path, statuses in {
            "/hub/admin/groups/group?name=other": {404},
            "/hub/admin/groups/delete?name=class": {403},
            "/hub/admin/groups": {403},
        }.items():
            assert (await tina.post(path, data=fields)).status_code in statuses, path
        page = (await lea.get(CLASS)).text
        assert re.search(r"\bada\b", page) is None
        assert 'name="add"' not in page
        assert "2" not in re.findall(
            r'data-label="Members">(\d+)<', (await lea.get("/hub/admin/groups")).text
        )
    assert await members(hub, "other") == ("cy",)
    assert await find(hub, "fresh") is None


async def test_nobody_gives_more_than_they_have(hub: Hub) -> None:
    async with hub.ctx.store.write() as tx:
        role = await tx.roles.put(Role("mighty", "", ("admin:users",)))
        await tx.roles.give(role, "groups", ["class"])
    await hub.may("tina", "admin-ui", "groups!group=class")
    async with hub.browser() as tina:
        await tina.log_in("tina")
        reply = await tina.send_form(CLASS, add="1", users="tina")
        assert reply.status_code == 403
        assert "Role mighty gives" in reply.text
    assert await members(hub) == ("ada", "bea")


@pytest.mark.parametrize("path", ["/hub/admin/groups", CLASS, "/hub/admin/groups/delete?name=class"])
async def test_a_form_without_its_token_changes_nothing(hub: Hub, root: Browser, path: str) -> None:
    for fields in ({}, {"_xsrf": "old"}):
        reply = await root.post(path, data={"add": "1", "users": "cy", "name": "fresh", **fields})
        assert reply.status_code == 403
        assert "out of date" in reply.text
    assert await members(hub) == ("ada", "bea")
    assert await find(hub, "fresh") is None


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_names_and_properties_become_no_markup(hub: Hub, root: Browser, polyglot: str) -> None:
    user = polyglot.replace("/", "")
    await hub.group(polyglot, user)
    page = {"name": polyglot}
    for reply in (
        await root.get("/hub/admin/groups"),
        await root.get("/hub/admin/groups/group", params=page),
        await root.get("/hub/admin/groups/delete", params=page),
        await root.send_form("/hub/admin/groups", name=polyglot),
        await root.send_form(CLASS, add="1", users=polyglot),
        await root.send_form(CLASS, save="1", properties=polyglot),
    ):
        assert_harmless(reply.text, polyglot)
