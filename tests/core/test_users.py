"""Users: who may see, make, change and remove whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from carrel.core.access import caller_of_token
from carrel.core.users import UserChanges, change_user, create_users, delete_user, get_user, list_users
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound
from carrel.domain.paging import PageRequest
from carrel.storage.users import UserFilter
from carrel.testing.hub import TrialHub, open_test_hub

ALL = PageRequest(0, 200)


async def _names(hub: TrialHub, *scopes: str, which: UserFilter | None = None) -> list[str]:
    root = await hub.find("root")
    caller = hub.caller_of(root.user, *scopes) if scopes else root
    page = await list_users(hub.ctx, caller, which or UserFilter(), ALL)
    assert page.total == len(page.items)
    return [item.user.name for item in page.items]


async def test_names_are_normalised_when_users_are_made(hub: TrialHub) -> None:
    made = await create_users(hub.ctx, await hub.find("root"), ["Bea", "bea", "CARL"])
    assert [item.user.name for item in made] == ["bea", "carl"]


async def test_those_that_exist_are_left_out(hub: TrialHub) -> None:
    root = await hub.find("root")
    made = await create_users(hub.ctx, root, ["ada", "bea"])
    assert [item.user.name for item in made] == ["bea"]
    with pytest.raises(Conflict):
        await create_users(hub.ctx, root, ["ada", "bea"])


@pytest.mark.parametrize("name", ["", "a/b", " ", "..", "a\nb"])
async def test_a_bad_name_makes_nobody(hub: TrialHub, name: str) -> None:
    with pytest.raises(Invalid):
        await create_users(hub.ctx, await hub.find("root"), ["bea", name])
    assert await _names(hub) == ["ada", "root"]


async def test_the_authenticators_pattern_counts() -> None:
    async with open_test_hub(plugins={"DummyAuthenticator": {"username_pattern": "[a-z]+$"}}) as hub:
        root = await hub.make_user("root", admin=True)
        with pytest.raises(Invalid):
            await create_users(hub.ctx, root, ["ada1"])
        await create_users(hub.ctx, root, ["ada"])
        with pytest.raises(Invalid):
            await change_user(hub.ctx, root, "ada", UserChanges(name="ada1"))


async def test_only_admins_make_admins(hub: TrialHub) -> None:
    bea = await hub.make_user("bea")
    clerk = hub.caller_of(bea.user, "admin:users")
    with pytest.raises(Forbidden):
        await create_users(hub.ctx, clerk, ["carl"], admin=True)
    with pytest.raises(Forbidden):
        await change_user(hub.ctx, clerk, "bea", UserChanges(admin=True))
    with pytest.raises(Forbidden):
        await change_user(hub.ctx, clerk, "root", UserChanges(admin=False))


async def test_a_narrow_scope_counts_for_the_normalised_name(hub: TrialHub) -> None:
    clerk = hub.caller_of((await hub.find("ada")).user, "admin:users!user=bea")
    with pytest.raises(NotFound):
        await create_users(hub.ctx, clerk, ["carl"])
    made = await create_users(hub.ctx, clerk, ["BEA"])
    assert [item.user.name for item in made] == ["bea"]


async def test_renaming(hub: TrialHub) -> None:
    root = await hub.find("root")
    ada = await hub.find("ada")
    await hub.start()
    with pytest.raises(Invalid, match="Stop the servers"):
        await change_user(hub.ctx, root, "ada", UserChanges(name="eva"))
    await hub.stop()
    with pytest.raises(Invalid, match="already exists"):
        await change_user(hub.ctx, root, "ada", UserChanges(name="root"))
    with pytest.raises(Invalid):
        await change_user(hub.ctx, root, "ada", UserChanges(name="a/b"))
    secret = await hub.token_of(ada.user)
    assert await caller_of_token(hub.ctx, secret) is not None
    changed = await change_user(hub.ctx, root, "ada", UserChanges(name="Eva"))
    assert (changed.user.id, changed.user.name) == (ada.user.id, "eva")
    assert [server.user_name for server in changed.servers] == ["eva"]
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.user.name == "eva"
    assert caller.may("read:servers", user="eva")
    assert not caller.may("read:servers", user="ada")


async def test_an_admin_who_is_one_no_more(hub: TrialHub) -> None:
    root = await hub.find("root")
    boss = await hub.make_user("boss", admin=True)
    secret = await hub.token_of(boss.user)
    assert await caller_of_token(hub.ctx, secret) is not None
    await change_user(hub.ctx, root, "boss", UserChanges(admin=False))
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert not caller.may("admin:users", user="ada")


async def test_deleting(hub: TrialHub) -> None:
    root, ada = await hub.find("root"), await hub.find("ada")
    secret = await hub.token_of(ada.user)
    assert await caller_of_token(hub.ctx, secret) is not None
    await hub.start()
    await delete_user(hub.ctx, root, "ada")
    assert hub.world.alive() == set()
    assert await caller_of_token(hub.ctx, secret) is None
    with pytest.raises(NotFound):
        await delete_user(hub.ctx, root, "ada")
    with pytest.raises(Invalid, match="yourself"):
        await delete_user(hub.ctx, root, "root")


async def test_a_server_that_will_not_stop_keeps_its_user(hub: TrialHub) -> None:
    root = await hub.find("root")
    await hub.start()
    hub.world.script.stop_delay = 1000.0
    deleting = asyncio.create_task(delete_user(hub.ctx, root, "ada"))
    await hub.clock.advance(60.0)
    with pytest.raises(Invalid, match="process of stopping"):
        await deleting
    assert (await hub.find("ada")).user.name == "ada"


async def test_a_name_that_comes_back_is_another_person(hub: TrialHub) -> None:
    root, ada = await hub.find("root"), await hub.find("ada")
    await delete_user(hub.ctx, root, "ada")
    again = (await create_users(hub.ctx, root, ["ada"]))[0].user
    assert again.id != ada.user.id


@pytest.mark.parametrize(
    ("scopes", "error"),
    [
        (("read:users!user=ada",), NotFound),
        (("tokens!user",), Forbidden),
        (("list:users!user=ada",), NotFound),
    ],
)
async def test_403_when_nothing_is_held_404_when_only_for_others(
    hub: TrialHub, scopes: tuple[str, ...], error: type[Exception]
) -> None:
    caller = hub.caller_of((await hub.find("ada")).user, *scopes)
    for name in ("root", "ghost"):
        with pytest.raises(error):
            await get_user(hub.ctx, caller, name)


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        ((), ["ada", "root"]),
        (("list:users",), ["ada", "root"]),
        (("list:users!user=ada",), ["ada"]),
        (("list:users!user=ada", "list:users!user=ghost"), ["ada"]),
        (("list:users!group=staff",), []),
        (("list:users!server=ada/",), None),
        (("read:users",), None),
    ],
)
async def test_a_listing_shows_what_the_scope_reaches(
    hub: TrialHub, scopes: tuple[str, ...], names: list[str] | None
) -> None:
    if names is None:
        with pytest.raises(Forbidden):
            await _names(hub, *scopes)
    else:
        assert await _names(hub, *scopes) == names


@pytest.fixture
async def crowd() -> AsyncIterator[TrialHub]:
    async with open_test_hub() as hub:
        for name in ("root", "busy", "starting", "idle"):
            await hub.make_user(name, admin=name == "root")
        await hub.start("busy")
        hub.world.script.start_delay = 30
        await hub.start("starting")
        yield hub


@pytest.mark.parametrize(
    ("state", "names"),
    [("active", ["busy", "starting"]), ("ready", ["busy"]), ("inactive", ["root", "idle"]), (None, None)],
)
async def test_a_listing_by_state(crowd: TrialHub, state: str | None, names: list[str] | None) -> None:
    found = await _names(crowd, which=UserFilter(state=state))  # type: ignore[arg-type]
    assert found == (names or ["root", "busy", "starting", "idle"])


async def test_pages_cover_a_listing_once(crowd: TrialHub) -> None:
    root = await crowd.find("root")
    seen, offset = [], 0
    while offset is not None:
        page = await list_users(crowd.ctx, root, UserFilter(sort="name"), PageRequest(offset, 3))
        seen += [item.user.name for item in page.items]
        offset = page.next_offset  # type: ignore[assignment]
    assert seen == ["busy", "idle", "root", "starting"]
