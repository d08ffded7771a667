"""One user in the administration: what is shown, changed and removed, and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.domain.names import escape
from carrel.domain.servers import Wanted
from carrel.domain.users import User
from tests.http.hub import Browser, Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless
from tests.web.test_server_pages import FAILED, RUNNING

ADA = "/hub/admin/users/ada"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with ada, who is in a class, and root, who is an admin."""
    async with open_hub(tmp_path, allow_named_servers=True, slow_stop_timeout=0.01) as hub:
        await hub.user("root", admin=True)
        await hub.group("class", "ada")
        await hub.group("lab/physics")
        yield hub


@pytest.fixture
async def root(hub: Hub) -> AsyncIterator[Browser]:
    """The admin's browser."""
    async with hub.browser() as browser:
        await browser.log_in("root")
        yield browser


async def find(hub: Hub, name: str) -> User | None:
    async with hub.ctx.store.read() as tx:
        return await tx.users.get(name)


async def groups_of(hub: Hub, name: str) -> tuple[str, ...]:
    async with hub.ctx.store.read() as tx:
        return (await tx.groups.of_names([name])).get(name, ())


async def test_the_page_shows_all_servers_and_why_one_failed(hub: Hub, root: Browser) -> None:
    await hub.server("ada", **FAILED)
    await hub.server("ada", "gpu", display_name="The <i>GPU</i>", **RUNNING)
    html = (await root.get(ADA)).text
    assert "It &lt;b&gt;ended&lt;/b&gt; at once." in html
    assert "Traceback\n&lt;script&gt;" in html
    assert "The &lt;i&gt;GPU&lt;/i&gt;" in html
    assert 'href="/user/ada/gpu/"' in html
    assert 'href="/hub/spawn/ada"' in html
    assert 'name="start" value=""' in html
    assert 'name="stop" value="gpu"' in html


async def test_servers_are_started_and_stopped(hub: Hub, root: Browser) -> None:
    reply = await root.send_form(ADA, start="")
    assert reply.headers["location"] == f"{ADA}?done=asked"
    assert (await hub.server("ada")).wanted is Wanted.RUNNING
    await hub.server("ada", "gpu", **RUNNING)
    await root.send_form(ADA, stop="gpu")
    assert (await hub.server("ada", "gpu")).wanted is Wanted.STOPPED
    assert (await hub.server("ada")).wanted is Wanted.RUNNING
    again = await root.send_form(ADA, stop="none")
    assert again.status_code == 404
    assert "no server named" in again.text


async def test_a_user_is_renamed_promoted_and_put_into_groups(hub: Hub, root: Browser) -> None:
    reply = await root.send_form(ADA, save="1", name="Lovelace", groups="lab/physics\r\n", admin="1")
    assert reply.headers["location"] == "/hub/admin/users/lovelace?done=saved"
    user = await find(hub, "lovelace")
    assert user is not None
    assert user.admin
    assert await groups_of(hub, "lovelace") == ("lab/physics",)
    await root.send_form("/hub/admin/users/lovelace", save="1", name="lovelace", groups="")
    user = await find(hub, "lovelace")
    assert user is not None
    assert not user.admin
    assert await groups_of(hub, "lovelace") == ()


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"name": "a/b"}, "name", "Invalid username"),
        ({"name": ""}, "name", "Invalid username"),
        ({"name": "root"}, "name", "already exists"),
        ({"groups": "class\nnone"}, "groups", "No such group: none"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_nothing_changes(
    hub: Hub, root: Browser, fields: dict[str, str], field: str, said: str
) -> None:
    sent = {"save": "1", "name": "lovelace", "groups": "class", "admin": "1"} | fields
    reply = await root.send_form(ADA, **sent)
    assert reply.status_code == 400
    assert said in reply.text.partition(f'id="{field}-problem">')[2].partition("</p>")[0]
    assert f'value="{sent["name"]}"' in reply.text
    assert f">{sent['groups']}</textarea>" in reply.text
    assert 'value="1" checked' in reply.text
    user = await find(hub, "ada")
    assert user is not None
    assert not user.admin
    assert await groups_of(hub, "ada") == ("class",)


async def test_a_form_that_says_nothing_does_nothing(hub: Hub, root: Browser) -> None:
    reply = await root.send_form(ADA, name="lovelace")
    assert reply.status_code == 400
    assert await find(hub, "lovelace") is None


async def test_a_user_is_deleted_after_a_question(hub: Hub, root: Browser) -> None:
    await hub.server("ada", **RUNNING)
    question = await root.get(f"{ADA}/delete")
    assert "1 server will be stopped." in question.text
    assert await find(hub, "ada") is not None
    slow = await root.send_form(f"{ADA}/delete")
    assert slow.status_code == 400
    assert "in the process of stopping" in slow.text
    user = await hub.user("ada")
    async with hub.ctx.store.write() as tx:
        for server in await tx.servers.of_users([user.id]):
            await tx.servers.delete(server)
    reply = await root.send_form(f"{ADA}/delete")
    assert reply.headers["location"] == "/hub/admin?done=deleted"
    assert await find(hub, "ada") is None
    for path in (ADA, f"{ADA}/delete"):
        assert (await root.get(path)).status_code == 404


async def test_nobody_deletes_themselves(hub: Hub, root: Browser) -> None:
    assert "Delete this user" not in (await root.get("/hub/admin/users/root")).text
    reply = await root.send_form("/hub/admin/users/root/delete")
    assert reply.status_code == 400
    assert await find(hub, "root") is not None


async def test_who_only_looks_is_offered_nothing_and_refused(hub: Hub) -> None:
    await hub.may("tina", "admin-ui", "list:users!group=class", "read:users!group=class")
    await hub.user("dot")
    async with hub.browser() as tina:
        await tina.log_in("tina")
        html = (await tina.get(ADA)).text
        assert "class" in html
        for piece in ('name="save"', 'name="start"', 'name="stop"', "Delete", "Servers"):
            assert piece not in html
        token = await tina.xsrf("/hub/home")
        for fields in ({"save": "1", "name": "eve"}, {"start": ""}, {"stop": ""}):
            reply = await tina.post(ADA, data={"_xsrf": token, **fields})
            assert reply.status_code in {403, 404}, fields
        assert (await tina.post(f"{ADA}/delete", data={"_xsrf": token})).status_code == 403
        assert (await tina.get("/hub/admin/users/dot")).status_code == 404
        assert (await tina.get("/hub/admin/users/nobody")).status_code == 404
    assert await find(hub, "ada") is not None
    assert (await hub.server("ada")).wanted is Wanted.STOPPED


async def test_only_admins_make_and_change_admins(hub: Hub) -> None:
    await hub.may("tina", "admin-ui", "admin:users")
    async with hub.browser() as tina:
        await tina.log_in("tina")
        assert 'name="admin"' not in (await tina.get(ADA)).text
        assert 'name="save"' not in (await tina.get("/hub/admin/users/root")).text
        await tina.send_form(ADA, save="1", name="ada", admin="1")
        reply = await tina.send_form("/hub/admin/users/root", save="1", name="toor")
        assert reply.status_code == 403
    ada, root = await find(hub, "ada"), await find(hub, "root")
    assert ada is not None
    assert root is not None
    assert (ada.admin, root.admin) == (False, True)


@pytest.mark.parametrize("path", [ADA, f"{ADA}/delete"])
async def test_a_form_without_its_token_changes_nothing(hub: Hub, root: Browser, path: str) -> None:
    for fields in ({}, {"_xsrf": "old"}):
        reply = await root.post(path, data={"save": "1", "name": "eve", "groups": "", **fields})
        assert reply.status_code == 403
        assert "out of date" in reply.text
    assert await groups_of(hub, "ada") == ("class",)


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_names_become_no_markup(hub: Hub, root: Browser, polyglot: str) -> None:
    name = polyglot.replace("/", "")
    await hub.group(polyglot.strip(), name)
    await hub.server(name, "gpu", display_name=polyglot, **FAILED)
    page, foreign = f"/hub/admin/users/{escape(name)}", {"Sec-Fetch-Site": "cross-site"}
    for reply in (
        await root.get(page),
        await root.get(f"{page}/delete"),
        await root.send_form(page, save="1", name=f"/{polyglot}", groups=polyglot),
        await root.get(f"/hub/remove/{escape(name)}/gpu"),
        await root.get(f"/hub/spawn/{escape(name)}/gpu", headers=foreign),
        await root.get(f"/hub/spawn-pending/{escape(name)}/gpu"),
    ):
        assert reply.status_code in {200, 400, 424}
        assert_harmless(reply.text, polyglot)
