"""What every Store must do with groups and roles."""

from __future__ import annotations

import pytest

from carrel.domain.errors import Conflict
from carrel.domain.groups import Group
from carrel.domain.paging import PageRequest
from carrel.domain.roles import Role
from carrel.storage.base import Store
from carrel.storage.roles import HeldRole
from carrel.storage.users import UserFilter
from carrel.testing.conformance.store_records import NAMES, add_user

TA = Role("ta", "Teaching assistants", ("servers!group=class", "list:users!group=class"))
BOSS = Role("boss", "", (), managed_by_auth=True)
EVERYBODY = Role("user", "", ("self",))


class GroupsConformance:
    """Groups and their members."""

    async def test_groups_come_back_as_they_went_in(self, store: Store) -> None:
        ids = [(await add_user(store, name)).id for name in NAMES]
        async with store.write() as tx:
            made = await tx.groups.create("Üb/er", {"a": [1, None]})
            await tx.groups.add(made.id, ids)
            await tx.groups.add(made.id, ids[:1])
            with pytest.raises(Conflict):
                await tx.groups.create("Üb/er")
            empty = await tx.groups.create("empty")
        async with store.read() as tx:
            assert await tx.groups.get("Üb/er") == Group(
                made.id, "Üb/er", {"a": [1, None]}, tuple(sorted(NAMES))
            )
            assert await tx.groups.get("empty") == empty == Group(empty.id, "empty")
            assert await tx.groups.get("über") is None
            assert await tx.groups.member_ids(made.id) == set(ids)

    async def test_members_come_and_go(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        async with store.write() as tx:
            one, two = await tx.groups.create("one"), await tx.groups.create("two")
            for group in (two, one):
                await tx.groups.add(group.id, [ada.id, bea.id])
            await tx.groups.remove(one.id, [bea.id, bea.id + 99])
            await tx.groups.set_properties(one.id, {"k": "v"})
        async with store.read() as tx:
            assert await tx.groups.of_user(ada.id) == ("one", "two")
            assert await tx.groups.of_users([ada.id, bea.id, 99]) == {
                ada.id: ("one", "two"),
                bea.id: ("two",),
            }
            assert await tx.groups.of_names(["bea", "ghost"]) == {"bea": ("two",)}
            assert await tx.groups.get("one") == Group(one.id, "one", {"k": "v"}, ("ada",))
        async with store.write() as tx:
            await tx.users.delete(ada.id)
            await tx.groups.delete(two.id)
        async with store.read() as tx:
            assert await tx.groups.get("one") == Group(one.id, "one", {"k": "v"})
            assert await tx.groups.get("two") is None
            assert await tx.groups.of_user(bea.id) == ()

    async def test_pages_of_groups(self, store: Store) -> None:
        ada = await add_user(store)
        async with store.write() as tx:
            for name in ("c", "a", "b"):
                group = await tx.groups.create(name)
                await tx.groups.add(group.id, [ada.id])
        async with store.read() as tx:
            page = await tx.groups.page(None, PageRequest(1, 1))
            assert (page.total, [(each.name, each.members) for each in page.items]) == (3, [("a", ("ada",))])
            page = await tx.groups.page(["b", "c", "x"], PageRequest())
            assert (page.total, [each.name for each in page.items]) == (2, ["c", "b"])
            assert (await tx.groups.page([], PageRequest())).items == ()

    async def test_outlines_of_groups_count_members_without_naming_them(self, store: Store) -> None:
        people = [await add_user(store, name) for name in ("cleo", "ada", "bea")]
        async with store.write() as tx:
            full, empty = await tx.groups.create("full", {"k": "v"}), await tx.groups.create("empty")
            await tx.groups.add(full.id, [user.id for user in people])
        async with store.read() as tx:
            page = await tx.groups.outlines(None, PageRequest())
            assert page.items == ((Group(full.id, "full", {"k": "v"}), 3), (Group(empty.id, "empty"), 0))
            assert (await tx.groups.outlines(["empty"], PageRequest())).items == (
                (Group(empty.id, "empty"), 0),
            )
            some = Group(full.id, "full", {"k": "v"}, ("bea", "cleo"))
            assert await tx.groups.outline("full", PageRequest(1, 5)) == (some, 3)
            assert await tx.groups.outline("empty", PageRequest()) == (Group(empty.id, "empty"), 0)
            assert await tx.groups.outline("none", PageRequest()) is None

    async def test_a_page_of_users_by_name_or_group(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        await add_user(store, "cleo")
        async with store.write() as tx:
            for name, member in (("one", ada), ("two", bea)):
                group = await tx.groups.create(name)
                await tx.groups.add(group.id, [member.id])
        async with store.read() as tx:

            async def names(which: UserFilter) -> tuple[int, list[str]]:
                page = await tx.users.page(which, PageRequest())
                return page.total, [user.name for user in page.items]

            assert await names(UserFilter(names=(), groups=("one",))) == (1, ["ada"])
            assert await names(UserFilter(names=("cleo",), groups=("one", "two"))) == (
                3,
                ["ada", "bea", "cleo"],
            )
            assert await names(UserFilter(names=("ada",), groups=("one",), name_contains="b")) == (0, [])
            assert await names(UserFilter(names=("ada",))) == (1, ["ada"])


class RolesConformance:
    """Roles, who has them, and what else is known of a user."""

    async def test_roles_come_back_as_they_went_in(self, store: Store) -> None:
        async with store.write() as tx:
            first, second = await tx.roles.put(TA), await tx.roles.put(BOSS)
            changed = Role("ta", "Else", ("self",), managed_by_auth=True)
            assert await tx.roles.put(changed) == first
        async with store.write() as tx:
            assert [role.id for role in await tx.roles.all()] == [first, second]
            assert await tx.roles.named(["ta", "ghost"]) == [Role("ta", "Else", ("self",), True, first)]
            await tx.roles.delete(first)
            assert [role.name for role in await tx.roles.all()] == ["boss"]

    async def test_a_user_has_roles_by_name_by_group_and_as_everybody(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        async with store.write() as tx:
            ta, boss, user = [await tx.roles.put(role) for role in (TA, BOSS, EVERYBODY)]
            group = await tx.groups.create("class")
            await tx.groups.add(group.id, [bea.id])
            await tx.roles.grant(ta, [ada.id])
            await tx.roles.give(ta, "groups", ["class", "ghosts"])
            await tx.roles.give(boss, "services", ["class"], managed=True)
            await tx.roles.grant(boss, [ada.id], managed=True)
        async with store.write() as tx:
            everybody = HeldRole(Role("user", "", ("self",), False, user), False)
            assert [(each.role.name, each.direct) for each in await tx.roles.of_user(ada.id)] == [
                ("boss", True),
                ("ta", True),
                ("user", False),
            ]
            held = Role("ta", TA.description, TA.scopes, False, ta)
            assert await tx.roles.of_user(bea.id) == [HeldRole(held, False), everybody]
            assert await tx.roles.of_user(99) == [everybody]
            assert await tx.roles.of_users([ada.id, bea.id]) == {ada.id: ("boss", "ta")}
            assert await tx.roles.of_bearers("groups", ["class", "x"]) == {"class": (held,)}
            assert await tx.roles.users(boss) == {ada.id: True}
            assert await tx.roles.bearers(ta, "groups") == {"class": False, "ghosts": False}
            assert await tx.roles.bearers(boss, "services") == {"class": True}
            await tx.roles.grant(boss, [ada.id])
            assert await tx.roles.users(boss) == {ada.id: False}
            await tx.roles.revoke(ta, [ada.id, bea.id])
            await tx.roles.take(ta, "groups", ["ghosts"])
            assert await tx.roles.users(ta) == {}
            # The roles of a group stay with its name.
            await tx.groups.delete(group.id)
            assert await tx.roles.bearers(ta, "groups") == {"class": False}
            again = await tx.groups.create("class")
            await tx.groups.add(again.id, [bea.id])
            assert [each.role.name for each in await tx.roles.of_user(bea.id)] == ["ta", "user"]
            await tx.users.delete(ada.id)
            await tx.roles.delete(ta)
            assert await tx.roles.users(boss) == {}
            assert await tx.roles.of_bearers("groups", ["class"]) == {}

    async def test_admins_info_and_names(self, store: Store) -> None:
        ada, bea, cleo = [await add_user(store, name) for name in ("ada", "bea", "cleo")]
        async with store.write() as tx:
            await tx.users.set_admin(ada.id, True)
            await tx.users.set_info(cleo.id, {"color": "red"})
        async with store.write() as tx:
            assert await tx.users.set_only_admins([bea.id, 99]) == 2
            found = await tx.users.named(["cleo", "bea", "ada", "ghost"])
            assert [(user.name, user.admin) for user in found] == [
                ("ada", False),
                ("bea", True),
                ("cleo", False),
            ]
            assert found[2].user_info == {"color": "red"}
            assert await tx.users.set_only_admins([bea.id]) == 0
