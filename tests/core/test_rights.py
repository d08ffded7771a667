"""Roles and groups of the configuration and of authenticators, as they end up in the database."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.config.rights import read_rights
from carrel.config.schema import BadConfig
from carrel.core.access import caller_of_session, caller_of_token
from carrel.core.login import open_session
from carrel.core.rights import load_rights
from carrel.domain.errors import Conflict, Invalid
from carrel.domain.identity import Identity
from carrel.testing.factories import some_settings
from carrel.testing.hub import TrialHub, open_test_hub

TUTOR = {"name": "tutor", "scopes": ["list:users!group=class", "servers!group=class"], "groups": ["tutors"]}


async def reload(hub: TrialHub, plugins: dict[str, Any] | None = None, **settings: Any) -> None:
    """Do what a start with this configuration does."""
    rights, wrong = read_rights(some_settings(**settings))
    assert not any(fatal for _, _, fatal in wrong)
    authenticator = Managing(**(plugins or {}))
    await load_rights(hub.ctx.store, authenticator, hub.clock, rights)


class Managing(DummyAuthenticator):
    """An authenticator with roles of its own."""

    roles: tuple[dict[str, Any], ...] = ()

    async def load_managed_roles(self) -> list[dict[str, Any]]:
        return [dict(role) for role in self.roles]


async def scopes_of(hub: TrialHub, name: str) -> frozenset[str]:
    caller = await caller_of_token(hub.ctx, await hub.token_of((await hub.find(name)).user))
    assert caller is not None
    return caller.scopes.names


async def holders(hub: TrialHub, role: str) -> tuple[set[str], set[str], set[str]]:
    """Return the users, groups and services that have a role of their own."""
    async with hub.ctx.store.read() as tx:
        [found] = await tx.roles.named([role])
        ids = await tx.roles.users(found.id)
        users = {user.name for key in ids if (user := await tx.users.get_by_id(key))}
        return (
            users,
            set(await tx.roles.bearers(found.id, "groups")),
            set(await tx.roles.bearers(found.id, "services")),
        )


async def test_a_start_makes_users_groups_and_roles() -> None:
    async with open_test_hub(
        load_groups={"class": ["ada"], "tutors": {"users": ["Bea"], "properties": {"k": 1}}},
        load_roles=[
            TUTOR,
            {"name": "reader", "scopes": ["read:hub"], "users": ["carl"], "services": ["bot"]},
        ],
        extra_user_scopes={"list:groups"},
    ) as hub:
        assert {"servers!group=class", "list:groups"} <= await scopes_of(hub, "bea")
        assert "read:hub" in await scopes_of(hub, "carl")
        assert "read:hub" not in await scopes_of(hub, "bea")
        assert await holders(hub, "tutor") == (set(), {"tutors"}, set())
        assert await holders(hub, "reader") == ({"carl"}, set(), {"bot"})
        async with hub.ctx.store.read() as tx:
            group = await tx.groups.get("tutors")
        assert group is not None
        assert (group.members, group.properties) == (("bea",), {"k": 1})


async def test_what_is_gone_from_the_configuration(hub: TrialHub) -> None:
    await reload(hub, load_groups={"class": ["ada", "bea"]}, load_roles=[TUTOR | {"users": ["ada", "bea"]}])
    secret = await hub.token_of((await hub.find("ada")).user)
    before = await caller_of_token(hub.ctx, secret)
    await reload(hub, load_groups={"class": ["carl"]}, load_roles=[TUTOR | {"groups": [], "users": ["bea"]}])
    assert await holders(hub, "tutor") == ({"bea"}, set(), set())
    async with hub.ctx.store.read() as tx:
        group = await tx.groups.get("class")
        assert group is not None
        assert group.members == ("ada", "bea", "carl")
    after = await caller_of_token(hub.ctx, secret)
    assert before is not None
    assert after is not None
    assert before.may("servers", user="ada")
    assert before.scopes.names - after.scopes.names >= {"servers!group=class"}
    await reload(hub)
    async with hub.ctx.store.read() as tx:
        assert {role.name for role in await tx.roles.all()} == {"user", "admin", "server", "token"}
        assert await tx.groups.get("class") is not None


async def test_a_repeated_start_changes_nothing(hub: TrialHub) -> None:
    settings: dict[str, Any] = {"load_groups": {"class": ["ada"]}, "load_roles": [TUTOR | {"users": ["ada"]}]}
    await reload(hub, **settings)
    async with hub.ctx.store.read() as tx:
        before = (await tx.roles.all(), await tx.groups.get("class"), await tx.users.get("ada"))
    await reload(hub, **settings)
    async with hub.ctx.store.read() as tx:
        assert (await tx.roles.all(), await tx.groups.get("class"), await tx.users.get("ada")) == before


async def test_the_admin_role_says_who_is_admin(hub: TrialHub) -> None:
    await reload(hub, load_roles=[{"name": "admin", "services": ["bot"]}])
    assert (await hub.find("root")).user.admin
    await reload(hub, {"admin_users": {"carl"}}, load_roles=[{"name": "admin", "users": ["Ada"]}])
    assert [(await hub.find(name)).user.admin for name in ("ada", "carl", "root")] == [True, True, False]


async def test_the_user_role_can_be_replaced(hub: TrialHub) -> None:
    await reload(hub, load_roles=[{"name": "user", "scopes": ["read:hub"]}])
    assert await scopes_of(hub, "ada") == {"read:hub"}
    await reload(hub)
    assert "servers!user=ada" in await scopes_of(hub, "ada")


async def test_a_custom_scope_that_is_gone_gives_nothing_and_hurts_nobody(hub: TrialHub) -> None:
    secret = await hub.token_of((await hub.find("ada")).user, "custom:old:read", "read:users!user")
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert "read:users!user=ada" in caller.scopes.names
    assert not any(scope.startswith("custom") for scope in caller.scopes.names)


async def test_custom_scopes_bring_theirs_along() -> None:
    async with open_test_hub(
        custom_scopes={
            "custom:grader:write": {"description": "Grade.", "subscopes": ["custom:grader:read"]},
            "custom:grader:read": {"description": "See grades."},
        },
        load_roles=[{"name": "grader", "scopes": ["custom:grader:write!group=class"], "users": ["ada"]}],
    ) as hub:
        assert "custom:grader:read!group=class" in await scopes_of(hub, "ada")


@pytest.mark.parametrize(
    ("plugins", "settings", "says"),
    [
        ({"manage_groups": True}, {"load_groups": {"g": []}}, "load_groups: the authenticator manages"),
        ({"manage_roles": True}, {"load_roles": [TUTOR]}, "role 'tutor' names users or groups"),
    ],
)
async def test_what_the_authenticator_manages_is_not_for_the_configuration(
    hub: TrialHub, plugins: dict[str, Any], settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadConfig, match=says):
        await reload(hub, plugins, **settings)


async def test_managed_roles(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = {"manage_roles": True}
    boss = {"name": "boss", "scopes": ["read:hub"], "users": ["ada"]}
    monkeypatch.setattr(Managing, "roles", (boss, {"name": "old", "scopes": ["proxy"], "groups": ["class"]}))
    await reload(hub, managed)
    assert await holders(hub, "old") == (set(), {"class"}, set())
    monkeypatch.setattr(Managing, "roles", (boss | {"users": ["bea"]},))
    await reload(hub, managed)
    assert await holders(hub, "boss") == ({"bea"}, set(), set())
    assert await holders(hub, "old") == (set(), {"class"}, set())
    await reload(hub, managed | {"reset_managed_roles_on_startup": True})
    async with hub.ctx.store.read() as tx:
        assert not await tx.roles.named(["old"])
    monkeypatch.setattr(Managing, "roles", (boss | {"scopes": ["raed:hub"]},))
    with pytest.raises(BadConfig, match="Did you mean 'read:hub'"):
        await reload(hub, managed)


async def test_log_in_sets_groups_and_what_is_known_of_a_person(hub: TrialHub) -> None:
    await hub.make_group("old", "ada")
    secret = await hub.token_of((await hub.find("ada")).user)
    assert await caller_of_token(hub.ctx, secret) is not None
    await open_session(hub.ctx, Identity("ada", groups=("new", "/org/b"), user_info={"color": "red"}))
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.groups == ("/org/b", "new")
    assert caller.user.user_info == {"color": "red"}
    await open_session(hub.ctx, Identity("ada"))
    assert (await caller_of_token(hub.ctx, secret) or caller).groups == ("/org/b", "new")
    await open_session(hub.ctx, Identity("ada", groups=()))
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.groups == ()
    with pytest.raises(Invalid):
        await open_session(hub.ctx, Identity("ada", groups=("a\nb",)))


async def test_log_in_sets_roles(hub: TrialHub) -> None:
    await hub.make_group("class")
    reader = {"name": "reader", "scopes": ["read:hub"]}
    login = await open_session(
        hub.ctx, Identity("ada", roles=(reader, {"name": "tutor", "scopes": ["proxy"], "groups": ["class"]}))
    )
    caller = await caller_of_session(hub.ctx, login.secret)
    assert caller is not None
    assert caller.roles == ("reader", "tutor")
    assert caller.may("read:hub")
    await open_session(hub.ctx, Identity("ada", roles=({"name": "tutor", "scopes": ["read:metrics"]},)))
    caller = await caller_of_session(hub.ctx, login.secret)
    assert caller is not None
    assert (caller.roles, caller.may("read:hub")) == (("tutor",), False)
    assert caller.may("read:metrics")
    async with hub.ctx.store.read() as tx:
        assert not await tx.roles.named(["reader"])
    await open_session(hub.ctx, Identity("ada", roles=()))
    assert await holders(hub, "tutor") == (set(), {"class"}, set())


@pytest.mark.parametrize(
    "role", [{"name": "Tutor"}, {"name": "tutor", "scopes": ["x"]}, {"name": "admin", "scopes": ["self"]}]
)
async def test_a_role_that_cannot_be_lets_nobody_in(hub: TrialHub, role: dict[str, Any]) -> None:
    with pytest.raises(Conflict):
        await open_session(hub.ctx, Identity("new", roles=(role,)))
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get("new") is None
