"""Groups: who may do what with them, and that it counts at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from carrel.core.access import caller_of_token, towards
from carrel.core.caller import Caller
from carrel.core.groups import add_members, create_groups, delete_group, list_groups, remove_members
from carrel.core.oauth import require_access
from carrel.core.servers import ask_to_stop
from carrel.core.tokens import issue_token
from carrel.core.users import UserChanges, change_user, create_users, delete_user, list_users
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound
from carrel.domain.paging import PageRequest
from carrel.storage.users import UserFilter
from carrel.testing.hub import TrialHub, open_test_hub

ALL = PageRequest(0, 200)
TUTOR = ["list:users!group=class", "servers!group=class", "access:servers!group=class", "tokens!group=class"]


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A hub where tina is a tutor of ada's class, by her group; bea is in no class."""
    async with open_test_hub(
        load_groups={"class": ["ada"], "tutors": ["tina"], "chiefs": []},
        load_roles=[
            {"name": "tutor", "scopes": TUTOR, "groups": ["tutors"]},
            {"name": "chief", "scopes": ["admin:groups", "read:hub", "self"], "groups": ["chiefs"]},
            {"name": "clerk", "scopes": ["admin:users", "groups"]},
        ],
    ) as hub:
        await hub.make_user("bea")
        await hub.make_user("root", admin=True)
        yield hub


async def real(hub: TrialHub, name: str, *scopes: str) -> Caller:
    """Return a user as their token makes them known."""
    caller = await caller_of_token(hub.ctx, await hub.token_of((await hub.find(name)).user, *scopes))
    assert caller is not None
    return caller


async def test_a_scope_for_a_group_reaches_its_members_and_their_servers(hub: TrialHub) -> None:
    tina = await real(hub, "tina")
    assert not tina.may("servers", user="ada")
    tina = await towards(hub.ctx, tina, ["ada", "bea", "ghost"])
    assert tina.may("servers", user="ada")
    assert tina.may("servers", server="ada/lab")
    assert not any(tina.may("servers", user=name) for name in ("bea", "ghost", "root"))
    page = await list_users(hub.ctx, tina, UserFilter(), ALL)
    assert [(each.user.name, each.groups) for each in page.items] == [("ada", ("class",))]
    await hub.start("ada")
    stopped = await ask_to_stop(hub.ctx, tina, "ada")
    assert stopped is not None
    with pytest.raises(NotFound):
        await ask_to_stop(hub.ctx, tina, "bea")


async def test_members_who_come_and_go_count_at_once(hub: TrialHub) -> None:
    root = await hub.find("root")
    user = (await hub.find("tina")).user
    secret = await hub.token_of(user, "access:servers!server=bea/")

    async def may() -> bool:
        caller = await caller_of_token(hub.ctx, secret)
        return caller is not None and caller.may("access:servers", server="bea/")

    assert not await may()
    await add_members(hub.ctx, root, "class", ["bea"])
    assert await may()
    await remove_members(hub.ctx, root, "class", ["bea"])
    assert not await may()
    await add_members(hub.ctx, root, "class", ["bea"])
    await remove_members(hub.ctx, root, "tutors", ["tina"])
    assert not await may()
    await add_members(hub.ctx, root, "tutors", ["tina"])
    assert await may()
    await delete_group(hub.ctx, root, "class")
    assert not await may()
    # The role is still the group's when it comes back.
    await create_groups(hub.ctx, root, ["class"], ["bea"])
    assert await may()


async def test_a_large_group_that_goes_counts_at_once(hub: TrialHub) -> None:
    root = await hub.find("root")
    names = [f"user{number}" for number in range(60)]
    for name in names:
        await hub.make_user(name)
    await add_members(hub.ctx, root, "chiefs", names)
    secret = await hub.token_of((await hub.find("user7")).user)
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.may("read:hub")
    await delete_group(hub.ctx, root, "chiefs")
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert not caller.may("read:hub")


async def test_a_tutor_visits_the_servers_of_the_class_alone(hub: TrialHub) -> None:
    await hub.make_group("other", "bea")
    tina = await real(hub, "tina")
    async with hub.ctx.store.read() as tx:
        session = Caller(tina.user, tina.scopes, groups=tina.groups, watches=tina.watches)
        assert await tx.groups.of_user(tina.user.id) == ("tutors",)
    for name in ("ada", "bea"):
        await hub.start(name)
        async with hub.ctx.store.read() as tx:
            client = await tx.oauth.get_client(f"jupyterhub-user-{name}")
        assert client is not None
        if name == "ada":
            assert not (await require_access(hub.ctx, session, client)).own
        else:
            with pytest.raises(Forbidden):
                await require_access(hub.ctx, session, client)
        with pytest.raises(Forbidden, match="browser"):
            await require_access(hub.ctx, tina, client)


async def test_who_adds_members_must_have_what_they_gain(hub: TrialHub) -> None:
    bea = await hub.make_user("clerk")
    clerk = hub.caller_of(bea.user, "groups", "list:users")
    with pytest.raises(Forbidden, match=r"Role tutor gives .*, which you do not have"):
        await add_members(hub.ctx, clerk, "tutors", ["bea"])
    grown = hub.caller_of(bea.user, "groups", *TUTOR)
    assert (await add_members(hub.ctx, grown, "tutors", ["bea"])).group.members == ("bea", "tina")
    # What a member has anyway (`self` here) is no gain.
    chief = hub.caller_of(bea.user, "admin:groups", "read:hub")
    assert (await add_members(hub.ctx, chief, "chiefs", ["bea"])).group.members == ("bea",)
    root = await hub.find("root")
    await delete_group(hub.ctx, root, "tutors")
    with pytest.raises(Forbidden):
        await create_groups(hub.ctx, chief, ["tutors"], ["bea"])
    async with hub.ctx.store.read() as tx:
        assert await tx.groups.get("tutors") is None


async def test_who_changes_a_user_gives_no_more_than_they_have(hub: TrialHub) -> None:
    clerk = hub.caller_of((await hub.find("bea")).user, "admin:users", "groups!group=class")
    changed = await change_user(hub.ctx, clerk, "bea", UserChanges(groups=["class"]))
    assert changed.groups == ("class",)
    for changes in (
        UserChanges(groups=["class", "tutors"]),
        UserChanges(groups=["chiefs"]),
        UserChanges(roles=["tutor"]),
        UserChanges(roles=["admin"]),
        UserChanges(admin=True),
    ):
        with pytest.raises((Forbidden, NotFound)):
            await change_user(hub.ctx, clerk, "bea", changes)
    for wrong in (UserChanges(roles=["ghost"]), UserChanges(name="a/b")):
        with pytest.raises(Invalid):
            await change_user(hub.ctx, clerk, "bea", wrong)
    root = await hub.find("root")
    with pytest.raises(Invalid, match="No such group"):
        await change_user(hub.ctx, root, "bea", UserChanges(groups=["ghosts"]))
    changed = await change_user(
        hub.ctx, root, "bea", UserChanges(roles=["user", "tutor", "admin"], groups=["chiefs"])
    )
    assert (changed.user.admin, changed.roles, changed.groups) == (True, ("tutor",), ("chiefs",))
    with pytest.raises(Forbidden, match="other admins"):
        await change_user(hub.ctx, clerk, "bea", UserChanges(groups=[]))
    changed = await change_user(hub.ctx, root, "bea", UserChanges(roles=[]))
    assert (changed.user.admin, changed.roles, changed.groups) == (False, (), ("chiefs",))


async def test_a_narrow_token_of_an_admin_is_no_admin(hub: TrialHub) -> None:
    narrow = await real(hub, "root", "admin:users", "admin:groups")
    with pytest.raises(Forbidden):
        await change_user(hub.ctx, narrow, "bea", UserChanges(admin=True))
    with pytest.raises(Forbidden):
        await add_members(hub.ctx, narrow, "tutors", ["bea"])
    assert (await change_user(hub.ctx, await real(hub, "root"), "bea", UserChanges(admin=True))).user.admin


async def test_a_name_of_an_admin_is_for_admins_to_give() -> None:
    async with open_test_hub(plugins={"Authenticator": {"admin_users": {"boss"}}}) as hub:
        root = await hub.find("boss")
        ada = await hub.make_user("ada")
        await hub.make_user("other", admin=True)
        await delete_user(hub.ctx, await hub.find("other"), "boss")
        clerk = hub.caller_of(ada.user, "admin:users")
        with pytest.raises(Forbidden):
            await create_users(hub.ctx, clerk, ["boss"])
        with pytest.raises(Forbidden):
            await change_user(hub.ctx, clerk, "ada", UserChanges(name="BOSS"))
        assert root.user.name == "boss"


async def test_a_new_name_must_be_within_reach(hub: TrialHub) -> None:
    clerk = hub.caller_of((await hub.find("bea")).user, "admin:users!user=ada")
    with pytest.raises(NotFound):
        await change_user(hub.ctx, clerk, "ada", UserChanges(name="victim"))


async def test_tokens_of_members(hub: TrialHub) -> None:
    tina = await towards(hub.ctx, await real(hub, "tina"), ["ada"])
    with pytest.raises(Invalid, match="caller does not have"):
        await issue_token(hub.ctx, tina, "ada")
    made = await issue_token(hub.ctx, tina, "ada", scopes=["servers!user"])
    assert made.scopes.allows("start:servers", user="ada")
    tutor = await issue_token(hub.ctx, tina, "tina", scopes=["servers!user=ada"])
    assert tutor.scopes.allows("start:servers", user="ada")
    with pytest.raises(Invalid, match="Not assigning requested"):
        await issue_token(hub.ctx, tina, "tina", scopes=["servers!user=bea"])
    by_role = await issue_token(hub.ctx, tina, "tina", roles=["tutor"])
    assert by_role.token.scopes == tuple(TUTOR)
    with pytest.raises(Invalid, match="No such role"):
        await issue_token(hub.ctx, tina, "tina", roles=["ghost"])


async def test_a_token_for_a_group_follows_its_members(hub: TrialHub) -> None:
    """What bea may do for herself, as far as she is in the class."""
    root, bea = await hub.find("root"), (await hub.find("bea")).user
    secret = await hub.token_of(bea, "servers!group=class")

    async def may() -> bool:
        caller = await caller_of_token(hub.ctx, secret)
        return caller is not None and caller.may("servers", user="bea")

    assert not await may()
    await add_members(hub.ctx, root, "class", ["bea"])
    assert await may()
    await remove_members(hub.ctx, root, "class", ["bea"])
    assert not await may()


async def test_making_groups(hub: TrialHub) -> None:
    root = await hub.find("root")
    made = await create_groups(hub.ctx, root, ["one", "two/three"], ["ADA"])
    assert [(each.group.name, each.group.members) for each in made] == [
        ("one", ("ada",)),
        ("two/three", ("ada",)),
    ]
    with pytest.raises(Conflict):
        await create_groups(hub.ctx, root, ["four", "one"])
    for names, users in ((["a\nb"], []), ([""], []), (["four"], ["ghost"])):
        with pytest.raises(Invalid):
            await create_groups(hub.ctx, root, names, users)
    page = await list_groups(hub.ctx, root, ALL)
    assert [each.group.name for each in page.items] == ["class", "tutors", "chiefs", "one", "two/three"]
    few = hub.caller_of(root.user, "list:groups!group=one", "list:groups!group=ghosts")
    assert [each.group.name for each in (await list_groups(hub.ctx, few, ALL)).items] == ["one"]
    with pytest.raises(Forbidden):
        await list_groups(hub.ctx, hub.caller_of(root.user, "list:groups!user=root"), ALL)
